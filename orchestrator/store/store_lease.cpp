#include "orchestrator/store/store_lease.hpp"

#include <filesystem>
#include <random>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

constexpr int kWatchedIntervals = 3;
constexpr const char* kFree = "free";

std::string content_of(const std::string& path) {
    return std::filesystem::exists(path) ? read_file(path) : std::string(kFree);
}

std::string random_mark() {
    std::random_device source;
    return fmt::format("{:08x}{:08x}", source(), source());
}

/// What follows the mark and the count: the holder's own words.
std::string holder_in(const std::string& content) {
    const auto second = content.find(' ', content.find(' ') + 1);
    return second == std::string::npos ? "an unknown process" : content.substr(second + 1);
}

/// The lease's content if somebody renews it within three intervals.
std::optional<std::string> renewed_content(const std::string& path, std::chrono::milliseconds interval) {
    const std::string before = content_of(path);
    for (int i = 0; i < kWatchedIntervals && before != kFree; ++i) {
        std::this_thread::sleep_for(interval);
        const std::string now = content_of(path);
        if (now != before && now != kFree) return now;
    }
    return std::nullopt;
}

}  // namespace

StoreLease::StoreLease(const std::string& database_path, const std::string& self, std::chrono::milliseconds interval)
    : path_(database_path + ".lease"), self_(self), mark_(random_mark()), interval_(interval) {
    const auto refuse = [&](const std::string& content) {
        throw InputError(
            fmt::format("{}: in use by another leadsweep ({}); wait for it or stop it, or name another "
                        "database with --db",
                        database_path, holder_in(content)));
    };
    if (const auto renewed = renewed_content(path_, interval_)) refuse(*renewed);
    write(0);
    // Two may have found it free: the one who wrote last has it.
    std::this_thread::sleep_for(interval_ / 2);
    if (!is_held()) refuse(content_of(path_));
    thread_ = std::thread([this] { keep(1); });
}

StoreLease::~StoreLease() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    ending_.notify_one();
    if (thread_.joinable()) thread_.join();
    try {
        if (is_held()) write_file_durably(path_, kFree);
    } catch (const std::exception& error) {
        log::warning("the lease {} is not given back: {}", path_, error.what());
    }
}

std::optional<std::string> StoreLease::holder_of(const std::string& database_path, std::chrono::milliseconds interval) {
    const auto renewed = renewed_content(database_path + ".lease", interval);
    return renewed ? std::optional(holder_in(*renewed)) : std::nullopt;
}

bool StoreLease::is_held() const {
    return content_of(path_).starts_with(mark_ + ' ');
}

void StoreLease::write(std::uint64_t count) const {
    write_file_durably(path_, fmt::format("{} {} {}", mark_, count, self_));
}

void StoreLease::keep(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    while (!ending_.wait_for(lock, interval_, [&] { return is_ending_; })) {
        try {
            if (!is_held()) return;
            write(count++);
        } catch (const std::exception& error) {
            log::warning("the lease {} is not renewed: {}", path_, error.what());
        }
    }
}

}  // namespace leadsweep

#include "orchestrator/control/request_folder.hpp"

#include <cerrno>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kReplyLife{10};  ///< a reply that nobody takes for so long is removed
constexpr std::size_t kMostRequestsATime = 256;

}  // namespace

void make_control_folder(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) throw FileError(folder, errno, "create the folder");
}

RequestFolder::RequestFolder(std::string database_path, std::string self, std::chrono::milliseconds interval)
    : folder_(control_folder(database_path)), self_(std::move(self)), interval_(interval) {
    try {
        make_control_folder(folder_);
    } catch (const FileError& error) {
        log::warning("status, why, retry, cancel and backup cannot reach this sweep: {}", error.what());
        return;
    }
    thread_ = std::thread([this] { serve(); });
}

RequestFolder::~RequestFolder() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

std::vector<ReceivedRequest> RequestFolder::take_requests() {
    const std::lock_guard lock(mutex_);
    return std::exchange(requests_, {});
}

void RequestFolder::reply(const std::string& id, ControlReply reply) {
    {
        const std::lock_guard lock(mutex_);
        replies_.insert_or_assign(id, std::move(reply));
    }
    changed_.notify_one();
}

void RequestFolder::serve() {
    std::unique_lock lock(mutex_);
    while (!is_ending_) {
        changed_.wait_for(lock, interval_, [this] { return is_ending_ || !replies_.empty(); });
        auto replies = std::exchange(replies_, {});
        lock.unlock();
        write_replies(std::move(replies));
        read_new_requests();
        remove_untaken_replies();
        lock.lock();
    }
    auto replies = std::exchange(replies_, {});
    lock.unlock();
    write_replies(std::move(replies));
}

void RequestFolder::read_new_requests() {
    std::error_code error;
    std::size_t count = 0;
    fs::directory_iterator entry(folder_, error);
    for (; !error && entry != fs::directory_iterator() && count < kMostRequestsATime; entry.increment(error)) {
        const fs::path& path = entry->path();
        if (path.extension() == ".request") {
            read_request(path.stem().string());
            ++count;
        } else if (path.extension() == ".reply") {
            // Of an earlier coordinator, unless it is known.
            written_.try_emplace(path.stem().string(), Clock::now());
        }
    }
}

void RequestFolder::read_request(const std::string& id) {
    const fs::path path = fs::path(folder_) / (id + ".request");
    std::string problem;
    try {
        if (!fs::is_regular_file(path)) throw ProtocolError("it is no file");
        const auto size = fs::file_size(path);
        if (size > kMaxRequestBytes)
            throw ProtocolError(fmt::format("{} bytes, at most {} are read", size, kMaxRequestBytes));
        Letter letter = decode_letter(read_file(path));
        fs::remove(path);
        if (letter.to != self_) return;
        const std::lock_guard lock(mutex_);
        requests_.push_back({id, std::move(letter)});
        return;
    } catch (const std::exception& error) {
        problem = error.what();
    }
    std::error_code error;
    if (!fs::exists(path, error)) return;  // taken back meanwhile
    if (!std::exchange(has_warned_, true)) log::warning("{} is no request: {}", path.string(), problem);
    const bool is_file = fs::is_regular_file(path, error);
    if (is_file) write_replies({{id, ErrorReply{"the request cannot be read: " + problem}}});
    fs::rename(path, fs::path(folder_) / (id + ".rejected"), error);
    if (error) fs::remove_all(path, error);
}

void RequestFolder::write_replies(std::map<std::string, ControlReply> replies) {
    for (const auto& [id, reply] : replies) {
        try {
            write_file_durably(fs::path(folder_) / (id + ".reply"), encode(reply));
            written_[id] = Clock::now();
        } catch (const FileError& error) {
            log::warning("a request could not be answered: {}", error.what());
        }
    }
}

void RequestFolder::remove_untaken_replies() {
    const auto now = Clock::now();
    std::erase_if(written_, [&](const auto& entry) {
        if (now - entry.second < kReplyLife) return false;
        std::error_code ignored;
        fs::remove(fs::path(folder_) / (entry.first + ".reply"), ignored);
        return true;
    });
}

}  // namespace leadsweep

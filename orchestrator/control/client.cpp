#include "orchestrator/control/client.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/control/request_folder.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollInterval{50};
constexpr std::chrono::seconds kHolderInterval{1};

std::string new_id() {
    std::random_device random;
    return fmt::format("{}-{:08x}{:08x}", ::getpid(), random(), random());
}

/// A request that is taken back, and its reply removed, when nobody waits for it any more.
class SentRequest {
public:
    SentRequest(const std::string& folder, const Letter& letter) : stem_(folder + "/" + new_id()), folder_(folder) {
        write_file_durably(stem_ + ".request", encode(letter));
    }
    ~SentRequest() {
        std::error_code ignored;
        fs::remove(stem_ + ".request", ignored);
        fs::remove(stem_ + ".reply", ignored);
    }
    SentRequest(const SentRequest&) = delete;
    SentRequest& operator=(const SentRequest&) = delete;

    std::optional<ControlReply> reply() const {
        // Opening the folder makes NFS look for new names in it.
        if (DIR* opened = ::opendir(folder_.c_str())) ::closedir(opened);
        if (!fs::exists(stem_ + ".reply")) return std::nullopt;
        try {
            return decode_reply(read_file(stem_ + ".reply"));
        } catch (const ProtocolError& error) {
            throw InputError(
                fmt::format("{}.reply: the coordinator's answer cannot be read ({}); use the same leadsweep for "
                            "both",
                            stem_, error.what()));
        }
    }

private:
    std::string stem_;
    std::string folder_;
};

}  // namespace

std::string asker() {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
    const char* user = std::getenv("USER");
    return fmt::format("{} on {}", user && *user ? user : fmt::format("user {}", ::getuid()), host.data());
}

std::optional<ControlReply> ask_coordinator(const std::string& database_path, const ControlRequest& request,
                                            double timeout_s, const HolderOf& holder_of) {
    const std::string folder = control_folder(database_path);
    const auto deadline = Clock::now() + std::chrono::duration<double>(timeout_s);
    while (const auto holder = holder_of()) {
        make_control_folder(folder);
        const SentRequest sent(folder, {*holder, asker(), request});
        auto next_look = Clock::now() + kHolderInterval;
        while (true) {
            if (auto reply = sent.reply()) return reply;
            const auto now = Clock::now();
            if (now > deadline)
                throw InputError(
                    fmt::format("{}: no answer within {:g} s from the leadsweep that has the database ({}); it may be "
                                "starting, ending, or stopped: ask again, or look at it",
                                database_path, timeout_s, *holder));
            if (now > next_look) {
                next_look = now + kHolderInterval;
                if (holder_of() != holder) break;
            }
            std::this_thread::sleep_for(kPollInterval);
        }
        // It may have answered just before it ended.
        if (auto reply = sent.reply()) return reply;
    }
    return std::nullopt;
}

}  // namespace leadsweep

// The coordinator's side of `<db>.control/`: requests are files that appear there, replies are files beside them. It
// works from every node that sees the folder, without sockets and without comparing clocks. Reading and writing happen
// on a thread of its own: a slow disk delays answers, never heartbeats.
//
// `<id>.request` holds a Letter, `<id>.reply` a ControlReply, both written to a temporary name, fsynced and renamed.
// What is no letter is answered with an error; what cannot even be read is moved aside as `<id>.rejected`.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/control/messages.hpp"

namespace leadsweep {

inline constexpr std::size_t kMaxRequestBytes = std::size_t{32} << 20U;  ///< two million job ids

/// Where requests to the coordinator of a database lie.
inline std::string control_folder(const std::string& database_path) {
    return database_path + ".control";
}

/// Makes the folder (0700) unless it is there. Throws FileError.
void make_control_folder(const std::string& folder);

struct ReceivedRequest {
    std::string id;  ///< for reply()
    Letter letter;
};

class RequestFolder {
public:
    /// `self` is the name under which requests are addressed to this coordinator; those for others are leftovers and
    /// removed. A folder that cannot be used is said once in the log: the sweep goes on without it.
    RequestFolder(std::string database_path, std::string self,
                  std::chrono::milliseconds interval = std::chrono::milliseconds(200));
    /// Writes the replies that were given.
    ~RequestFolder();
    RequestFolder(const RequestFolder&) = delete;
    RequestFolder& operator=(const RequestFolder&) = delete;

    /// Requests that came since the last call.
    std::vector<ReceivedRequest> take_requests();
    /// Thread-safe.
    void reply(const std::string& id, ControlReply reply);

private:
    using Clock = std::chrono::steady_clock;

    void serve();
    void read_new_requests();
    void read_request(const std::string& name);
    void write_replies(std::map<std::string, ControlReply> replies);
    void remove_untaken_replies();

    std::string folder_;
    std::string self_;
    std::chrono::milliseconds interval_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<ReceivedRequest> requests_;
    std::map<std::string, ControlReply> replies_;
    bool is_ending_ = false;
    std::map<std::string, Clock::time_point> written_;  ///< replies not taken yet; the thread's own
    bool has_warned_ = false;                           ///< garbage is said once; the thread's own
    std::thread thread_;
};

}  // namespace leadsweep

// What people ask of a running coordinator, and its answers: value types and their JSON. Jobs are named by id: the
// commands turn what people type into ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "shared/core/ids.hpp"

namespace leadsweep {

// ---- requests -------------------------------------------------------------------------------------------------------

struct CancelRequest {
    std::vector<JobId> jobs;
};
struct RetryRequest {
    std::vector<JobId> jobs;
};
struct WhyRequest {
    JobId job;
};
/// A consistent copy of the database; `path` is absolute and does not exist yet.
struct BackupRequest {
    std::string path;
};
struct StatusRequest {};

using ControlRequest = std::variant<CancelRequest, RetryRequest, WhyRequest, BackupRequest, StatusRequest>;

// ---- replies --------------------------------------------------------------------------------------------------------

/// How many of the jobs were what when the request arrived.
struct CancelReply {
    std::int64_t waiting = 0;  ///< cancelled now
    std::int64_t running = 0;  ///< being stopped
    std::int64_t ended = 0;    ///< had ended before; left as they are
};
struct RetryReply {
    std::int64_t queued = 0;  ///< run in this sweep
    std::int64_t later = 0;   ///< not part of the running sweep: waiting for the next start of theirs
    std::int64_t kept = 0;    ///< finished, waiting or running: nothing to retry
};
struct WhyReply {
    std::string reason;
};
/// The copy is there and durable.
struct BackupReply {
    std::int64_t size_bytes = 0;
};

struct RunningAttempt {
    JobId job;
    AttemptId attempt;
    std::string label;
    std::string node;
    std::string device;
    std::string phase;
    std::int64_t epoch = 0;
    std::int64_t epochs = 0;
    double fraction = 0;  ///< of the phase
    double loss = 0;
    double records_per_s = 0;
    double seconds = 0;
    bool operator==(const RunningAttempt&) const = default;
};
struct NodeUse {
    std::string node;
    std::string device_kind;
    std::int64_t workers = 0;
    std::int64_t busy = 0;
    bool operator==(const NodeUse&) const = default;
};
struct StatusReply {
    std::string sweep;
    double elapsed_s = 0;
    std::int64_t jobs = 0;  ///< of this run: without those that were done before
    std::int64_t finished = 0;
    std::int64_t failed = 0;  ///< also invalid and cancelled
    std::optional<double> remaining_s;
    std::vector<RunningAttempt> running;  ///< the longest running first, at most kMostRunningTold
    std::int64_t running_count = 0;
    std::vector<NodeUse> nodes;
};
inline constexpr std::size_t kMostRunningTold = 200;

/// The request cannot be met.
struct ErrorReply {
    std::string message;
};

using ControlReply = std::variant<CancelReply, RetryReply, WhyReply, BackupReply, StatusReply, ErrorReply>;

// ---- as files -------------------------------------------------------------------------------------------------------

/// A request as it lies in the folder.
struct Letter {
    std::string to;  ///< the coordinator it is meant for, as its lock tells: a later one does not carry it out
    std::string by;  ///< who asks: "alice on node7"
    ControlRequest request;
};

std::string encode(const Letter& letter);
/// Throws ProtocolError where the text is no letter.
Letter decode_letter(const std::string& text);

std::string encode(const ControlReply& reply);
/// Throws ProtocolError where the text is no reply.
ControlReply decode_reply(const std::string& text);

}  // namespace leadsweep

// Every message between coordinator, supervisors and workers. Commands are imperative and go down, facts are past and
// go up. Raise kProtocolVersion whenever a field changes: Hello is compared first, a mismatch is refused.
//
// Every message of an attempt carries its id; a message whose attempt is not the one that runs is dropped.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "shared/core/errors.hpp"
#include "shared/core/ids.hpp"

namespace leadsweep {

inline constexpr std::uint32_t kProtocolVersion = 4;
inline constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 20U;

/// What a worker computes on. A CPU device is `threads` pinned cores.
struct Device {
    std::string kind;  ///< "cpu" or "cuda"
    std::string uuid;  ///< "cpu-0" (first core) or the GPU's UUID
    std::string name;
    std::vector<int> cores;  ///< CPU only
    std::int64_t memory_bytes = 0;
};

// ---- coordinator -> worker ------------------------------------------------------------------------------------------

/// Place of a worker among the workers of one job. Rank 0 makes the rendezvous (an address, or an NCCL id) and offers
/// it.
struct GangPlace {
    int rank = 0;
    int size = 1;
};

/// Run one attempt of a job.
struct Assign {
    AttemptId attempt;
    std::string key;
    std::string train_key;
    std::string spec;            ///< to_json(JobSpec).dump()
    std::string lists_path;      ///< FoldLists file
    std::string lists_digest;    ///< of the file's bytes
    std::string pack_folder;     ///< complete pack (worker/dataset/pack.hpp)
    std::string attempt_folder;  ///< the only place the attempt may write to
    std::string resume_folder;   ///< of an earlier attempt of the same job, to go on from its checkpoint; "" if none
    std::string model_path;      ///< trained weights of the same train_key: only evaluate and explain; "" if none
    std::string model_digest;
    GangPlace gang;
};

/// Make one shard of a pack.
struct Prepare {
    AttemptId attempt;
    std::string spec;  ///< to_json(JobSpec).dump(): its data and sampling_hz are what counts
    std::string catalogue_path;
    std::string pack_folder;  ///< the shard's file is written here
    std::int64_t shard = 0;
};

/// Where the gang of an attempt meets; sent to its ranks > 0.
struct Rendezvous {
    AttemptId attempt;
    std::string address;
    std::string token;
};

/// Stop the attempt: after the step at hand, with a checkpoint, as `interrupted` or `cancelled`.
struct Stop {
    AttemptId attempt;
    FailureClass reason = FailureClass::kInterrupted;
};

struct Shutdown {};

using ToWorker = std::variant<Assign, Prepare, Rendezvous, Stop, Shutdown>;

// ---- worker -> coordinator ------------------------------------------------------------------------------------------

/// First message of every worker.
struct Hello {
    std::uint32_t protocol = kProtocolVersion;
    std::string build;           ///< version and LibTorch of the worker
    std::vector<int> semantics;  ///< the numbers of shared/job/semantics.hpp
    Device device;
    std::int64_t pid = 0;
};

/// The process is alive (sent by a thread of its own, once a second).
struct Beat {};

/// The work goes on. At most 10 a second.
struct Progress {
    AttemptId attempt;
    std::string phase;  ///< "preparing", "loading", "training", "validating", "testing", "explaining"
    std::int64_t epoch = 0;
    std::int64_t epochs = 0;
    double fraction = 0;  ///< of the phase, 0 to 1
    double loss = 0;
    double records_per_s = 0;
};

/// The attempt could go on from here: kCheckpointFile in its folder, durable. Said by rank 0 of a gang.
struct CheckpointSaved {
    AttemptId attempt;
    std::int64_t epoch = 0;  ///< completed ones
    std::string digest;      ///< SHA-256 of the file
};

/// Rank 0 of a gang is ready to be joined.
struct RendezvousOffered {
    AttemptId attempt;
    std::string address;
    std::string token;
};

/// The attempt is complete and its files are durable. Only rank 0 of a gang names a result.
struct Finished {
    AttemptId attempt;
    double seconds = 0;
    std::string result_path;  ///< result.cbor; "" if there is nothing to store
    std::string result_digest;
};

struct Prepared {
    AttemptId attempt;
    double seconds = 0;
};

struct Failed {
    AttemptId attempt;
    FailureClass failure = FailureClass::kCrashed;
    std::string message;
};

using FromWorker = std::variant<Hello, Beat, Progress, CheckpointSaved, RendezvousOffered, Finished, Prepared, Failed>;

// ---- coordinator <-> supervisor -------------------------------------------------------------------------------------

/// Pass on to a worker of yours.
struct ToWorkerOf {
    WorkerId worker;
    ToWorker message;
};
/// Kill a worker and start a fresh one in its place.
struct ReplaceWorker {
    WorkerId worker;
    std::string why;
};
/// Stop all workers, then end. `is_now`: kill them.
struct StopSupervisor {
    bool is_now = false;
};
/// Start so many workers on each device; the answer to SupervisorReady. They share the device, its cores too.
struct StartWorkers {
    std::int64_t slots_per_device = 1;
};
/// Said to a supervisor that was declared lost and is heard again: kill all workers, then register anew.
struct ResetSupervisor {
    std::uint32_t registration = 0;  ///< to be repeated in SupervisorReady
};
/// The coordinator is alive.
struct CoordinatorBeat {
    Incarnation incarnation;
};

using ToSupervisor =
    std::variant<ToWorkerOf, ReplaceWorker, StopSupervisor, CoordinatorBeat, StartWorkers, ResetSupervisor>;

struct SupervisorReady {
    std::string node;  ///< host name: supervisors of one node share its scratch folder
    std::int64_t pid = 0;
    std::int64_t devices = 0;
    std::uint32_t registration = 0;  ///< of the ResetSupervisor that this answers; 0 at the start
};
struct SupervisorBeat {};
/// Ids of workers are made by their supervisor: rank * 2^32 + counter.
inline std::uint32_t rank_of(WorkerId worker) {
    return static_cast<std::uint32_t>(worker.value >> 32U);
}
/// A worker is up and has said Hello.
struct WorkerReady {
    WorkerId worker;
    Hello hello;
    std::string log_path;
};
struct FromWorkerOf {
    WorkerId worker;
    FromWorker message;
    std::int64_t log_length = 0;  ///< bytes in the worker's log when an attempt of it ended
};
/// A worker process is gone; the supervisor starts another by itself.
struct WorkerLost {
    WorkerId worker;
    FailureClass failure = FailureClass::kCrashed;
    std::string message;
    std::int64_t log_length = 0;
};
/// The supervisor cannot go on.
struct SupervisorFailed {
    std::string message;
};

using FromSupervisor =
    std::variant<SupervisorReady, SupervisorBeat, WorkerReady, FromWorkerOf, WorkerLost, SupervisorFailed>;

}  // namespace leadsweep

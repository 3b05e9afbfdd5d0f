// What the scheduler is told about jobs, and what it decides: values that cross its border.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shared/core/errors.hpp"
#include "shared/core/ids.hpp"
#include "shared/job/job_state.hpp"

namespace leadsweep {

using JobIndex = std::size_t;   ///< position in the plan
using PackIndex = std::size_t;  ///< position among the plan's packs

struct ScheduledJob {
    PackIndex pack = 0;
    int devices = 1;
    int max_attempts = 3;
    int attempts_used = 0;  ///< attempts of earlier runs that counted against the job
    std::int64_t priority = 0;
    double timeout_s = 0;  ///< 0: none
    bool needs_fresh_worker = false;
    bool across_nodes = false;  ///< its gang may span nodes
    int slots_per_device = 1;   ///< so many jobs like this share a device; a gang shares none
    double expected_s = 0;      ///< median duration; 0: unknown, taken as endless
    double upper_s = 0;         ///< pessimistic duration; 0: expected_s
    double checkpoint_s = 0;    ///< longest time between two checkpoints; 0: unknown
};

/// All times in seconds.
struct SchedulerSettings {
    double phase_timeout_s = 600;                      ///< no progress for so long: the attempt hangs
    std::map<std::string, double> phase_timeouts_s{};  ///< the same for single phases ("loading": 1200)
    double beat_timeout_s = 30;                        ///< no sign of life for so long: the worker hangs
    double stop_grace_s = 20;                          ///< from Stop to kill
    int breaker_limit = 10;                            ///< the same failure so often in a row stops the sweep; 0: never
    int prepare_attempts = 3;
    double min_start_s = 60;   ///< a job of unknown length and checkpoints starts only if so much is left
    int quarantine_limit = 3;  ///< failures of different jobs on one node, none finished in between; 0: never
    double quarantine_window_s = 600;
    double quarantine_s = 300;  ///< doubles each time
    double longest_quarantine_s = 3600;
    double elsewhere_s = 10;  ///< a job that failed on a node waits so long for another one
};

// ---- decisions ------------------------------------------------------------------------------------------------------

struct StartAttempt {
    AttemptId attempt;
    JobIndex job;
    std::vector<WorkerId> gang;  ///< rank order
};
struct StartPrepare {
    AttemptId attempt;
    PackIndex pack;
    std::int64_t shard;
    WorkerId worker;
};
/// Ask the workers to stop after the step at hand.
struct StopAttempt {
    AttemptId attempt;
    std::vector<WorkerId> workers;
    FailureClass reason;
};
struct KillWorker {
    WorkerId worker;
    std::string why;
};
/// An attempt of a job is over. `failure` is empty where it finished.
struct AttemptEnded {
    AttemptId attempt;
    JobIndex job;
    std::optional<FailureClass> failure;
    std::string message;
    JobState job_state;  ///< after this attempt
};
/// A job that was waiting reached a terminal state.
struct JobEnded {
    JobIndex job;
    JobState state;
    std::string message;
};
/// The circuit breaker: nothing more is handed out.
struct SweepStopped {
    std::string why;
};
/// A node gets no work for so long.
struct NodeQuarantined {
    std::string node;
    double seconds;
    std::string why;
};

using Action = std::variant<StartAttempt, StartPrepare, StopAttempt, KillWorker, AttemptEnded, JobEnded, SweepStopped,
                            NodeQuarantined>;

}  // namespace leadsweep

// Decides which worker runs what. A reactor: facts go in through on_<fact>, decisions come out of take_actions(). No
// I/O, no clock, no randomness: time is an argument, so that tests and simulations run it in microseconds.
//
// Jobs that need k devices get k workers of one node or none. Order: priority, then file order; a worker prefers jobs
// of the pack that it used last. A gang at the head of the queue reserves the node where it will fit first, so that
// small jobs cannot starve it. A job starts on a node only when its pack is complete there; idle workers make missing
// shards.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
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
    double expected_s = 0;  ///< median of its duration; 0: not known
    double upper_s = 0;     ///< pessimistic
};

/// All times in seconds.
struct SchedulerSettings {
    double phase_timeout_s = 600;  ///< no progress for so long: the attempt hangs
    double beat_timeout_s = 30;    ///< no sign of life for so long: the worker hangs
    double stop_grace_s = 20;      ///< from Stop to kill
    int breaker_limit = 10;        ///< the same failure so often in a row stops the sweep; 0: never
    int prepare_attempts = 3;
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
/// A job that never ran reached a terminal state.
struct JobEnded {
    JobIndex job;
    JobState state;
    std::string message;
};
/// The circuit breaker: nothing more is handed out.
struct SweepStopped {
    std::string why;
};

using Action = std::variant<StartAttempt, StartPrepare, StopAttempt, KillWorker, AttemptEnded, JobEnded, SweepStopped>;

class Scheduler {
public:
    /// `shards[p]` is the number of shards of pack p; `next_attempt` gives ids that were never used before.
    Scheduler(std::vector<ScheduledJob> jobs, std::vector<std::int64_t> shards, SchedulerSettings settings,
              std::function<AttemptId()> next_attempt);

    void on_worker_ready(WorkerId worker, std::uint32_t rank, const std::string& node, double now);
    void on_worker_lost(WorkerId worker, FailureClass failure, const std::string& message, double now);
    void on_supervisor_lost(std::uint32_t rank, const std::string& message, double now);
    void on_beat(WorkerId worker, double now);
    void on_progress(WorkerId worker, AttemptId attempt, double now);
    void on_finished(WorkerId worker, AttemptId attempt, double now);
    void on_prepared(WorkerId worker, AttemptId attempt, double now);
    void on_failed(WorkerId worker, AttemptId attempt, FailureClass failure, const std::string& message, double now);
    /// A finished attempt whose result could not be stored: counts as failed after all.
    void on_result_rejected(AttemptId attempt, JobIndex job, FailureClass failure, const std::string& message,
                            double now);
    /// All supervisors have reported all their workers once: jobs that no node can hold become invalid.
    void on_capacity_known(double now);
    /// Time-outs; call a few times a second.
    void on_tick(double now);

    /// Hands out nothing more and stops what runs: `is_now` without grace.
    void drain(bool is_now, double now);

    // What people ask for while the sweep runs.
    /// A waiting job is cancelled at once, a running one stopped first. False where it has ended.
    bool cancel(JobIndex job, double now);
    /// A job that ended without a result waits again, its attempts forgiven. False where there is nothing to retry.
    bool retry(JobIndex job, double now);
    /// Why the job is not running, or where it runs: a sentence or two.
    std::string why(JobIndex job, double now) const;

    std::vector<Action> take_actions() { return std::exchange(actions_, {}); }

    JobState state(JobIndex job) const { return states_[job]; }
    const ScheduledJob& job(JobIndex index) const { return jobs_[index]; }
    /// Nothing runs, and nothing will.
    bool is_done() const { return attempts_.empty() && (is_draining_ || waiting_ == 0); }
    std::size_t count(JobState state) const { return counts_[static_cast<std::size_t>(state)]; }
    std::size_t worker_count() const { return workers_.size(); }

private:
    /// Jobs that are alike to the scheduler, in file order.
    struct QueueKey {
        std::int64_t descending_priority;
        int devices;
        PackIndex pack;
        bool needs_fresh_worker;
        auto operator<=>(const QueueKey&) const = default;
    };
    using Queues = std::map<QueueKey, std::set<JobIndex>>;

    struct Worker {
        std::uint32_t rank = 0;
        std::string node;
        double last_beat = 0;
        AttemptId attempt;  ///< 0: idle
        std::optional<PackIndex> last_pack;
        bool is_fresh = true;
        bool is_killed = false;
    };
    struct Work {
        std::optional<JobIndex> job;  ///< empty: a shard of a pack
        PackIndex pack = 0;
        std::int64_t shard = 0;
        std::vector<WorkerId> gang;
        std::set<WorkerId> unfinished;
        double started = 0;
        double last_progress = 0;
        double kill_at = std::numeric_limits<double>::infinity();
        std::optional<FailureClass> verdict;  ///< why it is being stopped
        std::string verdict_message;
        bool has_ended = false;  ///< its failure is recorded; only its remaining workers have to come back
    };
    struct PackOnNode {
        std::deque<std::int64_t> missing;
        std::int64_t in_work = 0;
        bool is_complete() const { return missing.empty() && in_work == 0; }
    };

    QueueKey key_of(JobIndex job) const;
    void set_state(JobIndex job, JobState state);
    void enqueue(JobIndex job);
    void dispatch(double now);
    std::vector<const QueueKey*> queues_in_order() const;
    std::set<std::string> start_head_gangs(double now);
    bool start_job_on(WorkerId worker, double now);
    bool start_prepare_on(WorkerId worker, double now);
    void start(const QueueKey& key, std::vector<WorkerId> gang, double now);
    std::vector<WorkerId> idle_workers_of(const std::string& node, std::size_t most) const;
    PackOnNode& pack_on(PackIndex pack, const std::string& node);
    void release(WorkerId worker, AttemptId attempt);
    void end_attempt(AttemptId attempt, Work& work, FailureClass failure, const std::string& message, double now);
    void end_prepare(AttemptId attempt, Work& work, FailureClass failure, const std::string& message);
    void settle_job(AttemptId attempt, JobIndex job, FailureClass failure, const std::string& message);
    void stop_work(AttemptId attempt, Work& work, FailureClass verdict, const std::string& message, double grace_s,
                   double now);
    void kill(WorkerId worker, const std::string& why);
    void remove_worker(WorkerId worker, FailureClass failure, const std::string& message, double now);
    void count_failure(FailureClass failure, const std::string& message);

    std::vector<ScheduledJob> jobs_;
    std::vector<JobState> states_;
    std::vector<bool> has_seen_oom_;
    std::vector<std::int64_t> shards_;
    SchedulerSettings settings_;
    std::function<AttemptId()> next_attempt_;
    std::size_t counts_[6] = {};
    std::size_t waiting_ = 0;
    Queues queues_;
    std::map<WorkerId, Worker> workers_;
    std::set<WorkerId> idle_;
    std::unordered_map<AttemptId, Work> attempts_;
    std::map<std::pair<PackIndex, std::string>, PackOnNode> packs_;
    std::map<PackIndex, int> prepare_failures_;
    std::vector<Action> actions_;
    std::string last_failure_;
    int same_failures_ = 0;
    bool is_draining_ = false;
};

}  // namespace leadsweep

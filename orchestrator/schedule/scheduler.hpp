// Decides which worker runs what. A reactor: facts go in through on_<fact>, decisions come out of take_actions(). No
// I/O, no clock, no randomness: time is an argument, so that tests and simulations run it in microseconds.
//
// Order: priority. Within it, as long as nothing is known of durations, the file's. With durations known: first jobs
// that would outlast all others, then large gangs before small ones and long jobs before short ones (queues.hpp). A
// worker prefers jobs of the pack that it used last; a job starts on a node only when its pack is complete there; idle
// workers make missing shards (packs.hpp).
//
// A job that needs k devices gets k or none: of one node, or of several where it allows that. The first gang that does
// not fit keeps the devices that are expected to be free for it first (its reservation). What runs meanwhile on those
// nodes must have ended by then, pessimistically: nothing that starts after a gang came to the head delays it. While
// lengths are unknown nothing else starts there.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "orchestrator/schedule/cluster.hpp"
#include "orchestrator/schedule/decisions.hpp"
#include "orchestrator/schedule/packs.hpp"
#include "orchestrator/schedule/queues.hpp"

namespace leadsweep {

class Scheduler {
public:
    /// `shards[p]` is the number of shards of pack p; `next_attempt` gives ids that were never used before.
    Scheduler(std::vector<ScheduledJob> jobs, const std::vector<std::int64_t>& shards, SchedulerSettings settings,
              std::function<AttemptId()> next_attempt);

    /// A worker owns one slot of a device; workers of one rank that name the same device share it.
    void on_worker_ready(WorkerId worker, std::uint32_t rank, std::string_view node, std::string_view device,
                         double now);
    void on_worker_lost(WorkerId worker, FailureClass failure, const std::string& message, double now);
    void on_supervisor_lost(std::uint32_t rank, const std::string& message, double now);
    void on_beat(WorkerId worker, double now);
    void on_progress(WorkerId worker, AttemptId attempt, std::string_view phase, double now);
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
    /// The allocation ends then: what can neither end nor leave a checkpoint before is not started.
    void set_deadline(double at, double now);

    /// Decides, and hands over what was decided since the last call.
    std::vector<Action> take_actions();

    JobState state(JobIndex job) const { return states_[job]; }
    const ScheduledJob& job(JobIndex index) const { return jobs_[index]; }
    /// Nothing runs, and nothing will.
    bool is_done() const { return attempts_.empty() && (is_draining_ || waiting_ == held_.size()); }
    /// Jobs wait, and none of them can start before the deadline, or on the nodes that are left.
    bool is_waiting_for_deadline() const { return waiting_ > 0 && waiting_ == held_.size(); }
    std::size_t left_for_next_allocation() const { return held_.size(); }
    std::size_t count(JobState state) const { return counts_[static_cast<std::size_t>(state)]; }
    /// Workers that each device should have.
    int most_slots_per_device() const { return most_slots_; }
    std::size_t worker_count() const { return cluster_.worker_count(); }
    // What people ask for while the sweep runs.
    /// A waiting job is cancelled at once, a running one stopped first. False where it has ended.
    bool cancel(JobIndex job, double now);
    /// A job that ended without a result waits again, its attempts forgiven. False where there is nothing to retry.
    bool retry(JobIndex job, double now);
    /// Why the job is not running, or where it runs: a sentence or two.
    std::string why(JobIndex job, double now) const;

    /// Devices kept for the first gang that does not fit.
    struct Reservation {
        JobIndex job = 0;
        std::vector<NodeIndex> nodes;
        double shadow = kUnknownTime;  ///< when they are expected to be free; from kUnknownTime on: not known
    };
    const std::optional<Reservation>& reservation() const { return reservation_; }

private:
    struct Work {
        std::optional<JobIndex> job;  ///< empty: a shard of a pack
        PackIndex pack = 0;
        std::int64_t shard = 0;
        std::vector<WorkerIndex> gang;  ///< a member takes part as long as its worker has this attempt
        std::size_t unfinished = 0;
        double started = 0;
        double last_progress = 0;
        double expected_end = kUnknownTime;
        double kill_at = kNever;
        std::uint32_t phase = 0;              ///< in phases_
        std::optional<FailureClass> verdict;  ///< why it is being stopped
        std::string verdict_message;
        bool has_ended = false;  ///< its failure is recorded; only its remaining workers have to come back
    };
    using Attempts = std::unordered_map<AttemptId, Work>;
    /// What is remembered of jobs that failed.
    struct JobNote {
        bool has_seen_oom = false;
        NodeIndex avoided = kNoNode;
    };
    struct Phase {
        std::string name;
        double timeout_s;
    };

    // Jobs and queues (scheduler.cpp)
    JobShape shape_of(JobIndex job) const;
    double device_seconds(JobIndex job) const;
    void set_state(JobIndex job, JobState state);
    void enqueue(JobIndex job);
    void dequeue(JobIndex job);
    void count_waiting(JobIndex job, int sign);
    void remove_worker(WorkerIndex worker, bool comes_back, FailureClass failure, const std::string& message,
                       double now);
    void leave(Attempts::iterator work, WorkerIndex worker);
    std::vector<WorkerId> members(AttemptId attempt, const Work& work) const;

    // Placement (placement.cpp, reservation.cpp)
    void dispatch(double now);
    bool start_one(NodeIndex node, double now);
    bool start_from(const ShapeQueue& queue, NodeIndex node, double now);
    std::optional<PackIndex> pick_pack(const ShapeQueue& queue, NodeIndex node) const;
    std::vector<WorkerIndex> pick_workers(NodeIndex node, const JobShape& shape, PackIndex pack, int devices) const;
    bool make_fresh(const std::vector<WorkerIndex>& gang, double now);
    void start(JobIndex job, const JobShape& shape, const std::vector<WorkerIndex>& gang, double now);
    std::optional<PackIndex> pack_to_make(const ShapeQueue& queue, NodeIndex node, double now) const;
    WorkerIndex idle_worker(NodeIndex node) const;
    void start_prepare(PackIndex pack, NodeIndex node, double now);
    void mark_dirty(NodeIndex node);
    void mark_all_idle();
    bool serve_head(double now);
    bool can_reserve(const JobShape& shape) const;
    bool choose_reserved_nodes(double now);
    void choose_spanning_nodes(const JobShape& shape);
    NodeIndex best_node(const JobShape& shape, PackIndex pack);
    std::vector<WorkerIndex> gang_of_head(const JobShape& shape, PackIndex pack);
    std::vector<WorkerIndex> spanning_gang(const JobShape& shape, PackIndex pack) const;
    bool spares_reservation(NodeIndex node, const std::vector<WorkerIndex>& gang, double ends_at) const;
    bool is_reserved(NodeIndex node) const;
    void forget_reservation();
    void lose_reserved(NodeIndex node);

    // Deadline and capacity (limits.cpp)
    bool is_late(JobIndex job, double now) const;
    void hold(JobIndex job);
    void release_held();
    void hold_what_cannot_start(double now);
    bool fits_somewhere(JobIndex job, int largest_node) const;

    // Endings (endings.cpp, quarantine.cpp)
    void end_attempt(AttemptId attempt, Work& work, NodeIndex node, FailureClass failure, const std::string& message,
                     double now);
    void end_prepare(Work& work, NodeIndex node, FailureClass failure, const std::string& message);
    void settle_job(AttemptId attempt, JobIndex job, NodeIndex node, FailureClass failure, const std::string& message,
                    double now);
    void count_failure(FailureClass failure, const std::string& message);
    void count_against_node(NodeIndex node, JobIndex job, FailureClass failure, double now);
    void end_quarantine(NodeIndex node);
    void end_quarantines(double now);
    void stop_avoiding(double now);

    // Time-outs (timeouts.cpp)
    void stop_work(AttemptId attempt, Work& work, FailureClass verdict, std::string message, double grace_s,
                   double now);
    void kill(WorkerIndex worker, const std::string& why, bool for_freshness, double now);
    void watch(WorkerIndex worker);
    double deadline_of(const Worker& worker) const;
    void check(WorkerIndex worker, double now);
    void check_attempt(AttemptId attempt, Work& work, double now);
    double progress_deadline(const Work& work) const;
    std::string describe_standstill(AttemptId attempt, const Work& work, double now) const;
    std::uint32_t phase_index(std::string_view name);

    // Explanations (why.cpp)
    std::string why_waiting(JobIndex job) const;
    std::string what_is_missing(JobIndex job, const JobShape& shape) const;
    std::string why_running(JobIndex job, double now) const;

    std::vector<ScheduledJob> jobs_;
    std::vector<JobState> states_;
    std::unordered_map<JobIndex, JobNote> notes_;
    Packs packs_;
    SchedulerSettings settings_;
    std::function<AttemptId()> next_attempt_;
    int most_slots_ = 1;  ///< of jobs that share devices
    Queues queues_;
    Cluster cluster_;
    Attempts attempts_;
    std::optional<Reservation> reservation_;
    std::vector<NodeIndex> dirty_;  ///< nodes where something may start
    std::set<JobIndex> held_;       ///< waiting, but not to be started by this run as things are
    std::vector<NodeIndex> quarantined_;
    std::deque<std::pair<double, JobIndex>> avoiding_;  ///< jobs that wait for another node, until then
    using Alarm = std::pair<double, WorkerIndex>;
    std::priority_queue<Alarm, std::vector<Alarm>, std::greater<>> alarms_;
    std::vector<Phase> phases_;
    std::vector<Action> actions_;
    std::size_t counts_[6] = {};
    std::size_t waiting_ = 0;
    double waiting_device_s_ = 0;  ///< of jobs of known length
    int fresh_wanted_ = 0;         ///< workers that waiting jobs want fresh
    double now_ = 0;
    double last_tick_ = kNever;
    double next_recheck_ = 0;
    double grace_from_ = 0;  ///< silence before then is our own
    double deadline_ = kNever;
    std::string last_failure_;
    int same_failures_ = 0;
    bool is_draining_ = false;
    bool is_capacity_known_ = false;
    bool is_held_for_capacity_ = false;
};

}  // namespace leadsweep

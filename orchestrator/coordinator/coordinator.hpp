// Runs a planned sweep: turns messages into facts for the scheduler, its decisions into messages and rows. All state
// that must survive lies in the database; killed at any moment, the next start goes on from there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "orchestrator/control/request_folder.hpp"
#include "orchestrator/coordinator/interruption.hpp"
#include "orchestrator/plan/plan.hpp"
#include "orchestrator/progress/progress.hpp"
#include "orchestrator/schedule/scheduler.hpp"
#include "orchestrator/store/commit_thread.hpp"
#include "orchestrator/store/result_store.hpp"
#include "orchestrator/transport/transport.hpp"
#include "shared/core/awake_clock.hpp"
#include "shared/core/digest.hpp"

namespace leadsweep {

/// A job of the run.
struct RunJob {
    std::size_t planned = 0;  ///< position in the plan
    JobId id;
    std::int64_t attempts_used = 0;
    bool has_history = false;  ///< earlier attempts may have left a checkpoint
    double expected_s = 0;     ///< median of its duration; 0: not known
    double upper_s = 0;        ///< exceeded by one of ten like it
};

/// A FoldLists file.
struct RunLists {
    std::string path;
    std::string digest;  ///< of its bytes
};

struct RunPack {
    std::string folder;
    std::string catalogue_path;
    std::int64_t shards = 0;
};

/// What is left to do of a plan, and the files that its workers read.
struct RunWork {
    std::vector<RunJob> jobs;
    std::vector<RunPack> packs;                                    ///< as Plan::packs
    std::vector<RunLists> lists;                                   ///< as Plan::lists
    std::unordered_map<Digest, TrainedModel, DigestHash> trained;  ///< by train_key; path as a whole
};

struct CoordinatorSettings {
    std::string work_folder;
    SchedulerSettings scheduling;
    double supervisor_timeout_s = 2.5;
    double start_timeout_s = 120;       ///< for all supervisors to report
    double stop_timeout_s = 60;         ///< of an orderly end
    double farewell_s = 0;              ///< at the end, for ranks that were taken for lost to be heard again
    std::optional<double> time_left_s;  ///< until the allocation ends; what runs is stopped in good time before
    Incarnation incarnation;
};

class Coordinator {
public:
    Coordinator(const Plan& plan, RunWork work, CoordinatorSettings settings, ResultStore& store, Transport& transport,
                ProgressView& view);

    /// Runs until everything is done, or it was interrupted. Supervisors are told to stop before it returns.
    /// Returns the exit code. Throws StoreError where the database fails: what was committed stays.
    int run();

private:
    struct Supervisor {
        std::string node;
        std::int64_t slots = -1;  ///< -1: has not reported yet
        double last_heard_s = 0;
        bool is_lost = false;
        bool is_asked_to_reset = false;  ///< lost, but heard again
        std::uint32_t registration = 0;  ///< what its SupervisorReady must say
    };
    struct WorkerNote {
        std::string node;
        Device device;
        std::string log_path;
        std::int64_t log_offset = 0;
    };
    struct AttemptNote {
        JobIndex job = 0;
        std::vector<WorkerId> gang;
        double started_s = 0;
        std::int64_t log_length = 0;
        std::string result_path;
        std::string result_digest;
        Progress latest;
    };

    void serve();
    void on_message(std::uint32_t rank, FromSupervisor& message);
    void on_worker_message(const FromWorkerOf& fact);
    void on_worker_ready(std::uint32_t rank, const WorkerReady& ready);
    void on_lost_supervisor_heard(std::uint32_t rank, const FromSupervisor& message);
    void start_workers(std::uint32_t rank, std::int64_t devices);
    void on_supervisor_gone(std::uint32_t rank, const std::string& why);
    void on_committed(const CommitOutcome& outcome);
    void check_supervisors();
    void check_interruption();
    void stop_running(bool is_now, const std::string& words);
    void carry_out(const StartAttempt& action);
    void carry_out(const StartPrepare& action);
    void carry_out(const StopAttempt& action);
    void carry_out(const KillWorker& action);
    void carry_out(const AttemptEnded& action);
    void carry_out(const JobEnded& action);
    void carry_out(const SweepStopped& action);
    void carry_out(const NodeQuarantined& action);
    void carry_out_decisions();
    void share_model(const CommitOutcome& outcome);
    // requests.cpp
    void answer_requests(double now);
    void answer(const ReceivedRequest& received, const CancelRequest& request, double now);
    void answer(const ReceivedRequest& received, const RetryRequest& request, double now);
    void answer(const ReceivedRequest& received, const WhyRequest& request, double now);
    void answer(const ReceivedRequest& received, const BackupRequest& request, double now);
    void answer(const ReceivedRequest& received, const StatusRequest& request, double now);
    void record_wish(const std::string& kind, const std::string& by, std::vector<JobId> jobs);
    std::optional<JobIndex> index_of(JobId job);
    std::vector<RunningAttempt> longest_running(double now) const;
    void show_progress(double now);
    void record_run();
    const PlannedJob& planned(JobIndex job) const { return plan_.jobs[work_.jobs[job].planned]; }
    std::string label(JobIndex job) const { return plan_.label(work_.jobs[job].planned); }
    void send_to_worker(WorkerId worker, ToWorker message);
    void send_to_all(const ToSupervisor& message);
    void stop_supervisors(bool is_now);
    void bid_farewell_to_lost();
    AttemptId next_attempt();
    bool is_over() const;
    int exit_code() const;
    double now_s() const { return clock_.now_s(); }

    const Plan& plan_;
    RunWork work_;
    CoordinatorSettings settings_;
    ResultStore& store_;
    Transport& transport_;
    ProgressView& view_;
    AttemptIds ids_;
    Scheduler scheduler_;
    RequestFolder requests_;                            ///< outlives the commit thread, which answers through it
    std::unordered_map<JobId, JobIndex> index_of_job_;  ///< filled when first asked for
    CommitThread commits_;
    Interruption interruption_;
    std::vector<Supervisor> supervisors_;
    std::map<WorkerId, WorkerNote> workers_;
    std::unordered_map<AttemptId, AttemptNote> attempts_;
    SweepProgress progress_;
    AwakeClock clock_;
    int interruptions_seen_ = 0;
    double started_s_ = 0;
    double cpu_before_s_ = 0;   ///< processor time of this thread when the run began
    double first_start_s_ = 0;  ///< of an attempt; 0: there was none
    double last_commit_s_ = 0;  ///< of a result
    double drain_deadline_s_ = 0;
    bool is_capacity_known_ = false;
    std::optional<std::string> ended_early_;
};

}  // namespace leadsweep

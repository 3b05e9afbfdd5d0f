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

#include "orchestrator/coordinator/interruption.hpp"
#include "orchestrator/progress/progress.hpp"
#include "orchestrator/schedule/scheduler.hpp"
#include "orchestrator/store/commit_thread.hpp"
#include "orchestrator/store/result_store.hpp"
#include "orchestrator/transport/transport.hpp"
#include "shared/core/awake_clock.hpp"
#include "shared/job/job_spec.hpp"
#include "shared/job/key.hpp"

namespace leadsweep {

/// A job of the run with everything a worker must be told.
struct RunJob {
    const JobSpec* spec = nullptr;  ///< owned by the plan
    const JobKeys* keys = nullptr;
    JobId id;
    PackIndex pack = 0;
    std::string lists_path;    ///< FoldLists file
    std::string lists_digest;  ///< of its bytes
    std::int64_t attempts_used = 0;
    bool has_history = false;  ///< earlier attempts may have left a checkpoint
    std::string model_path;    ///< trained weights of the same train_key, "" if none
    std::string model_digest;
};

struct RunPack {
    std::string folder;
    std::string catalogue_path;
    std::int64_t shards = 0;
    const JobSpec* spec = nullptr;  ///< of any job that uses it
};

struct CoordinatorSettings {
    std::string sweep_name;
    std::string work_folder;
    std::function<std::string(const JobSpec&)> label_of;  ///< for people: what sets a job apart from the others
    SchedulerSettings scheduling;
    double supervisor_timeout_s = 2.5;
    double start_timeout_s = 120;  ///< for all supervisors to report
    double stop_timeout_s = 60;    ///< of an orderly end
    Incarnation incarnation;
};

class Coordinator {
public:
    /// `jobs`: only those that have something left to do.
    Coordinator(std::vector<RunJob> jobs, std::vector<RunPack> packs, CoordinatorSettings settings, ResultStore& store,
                Transport& transport, ProgressView& view);

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
    };

    void serve();
    void on_message(std::uint32_t rank, FromSupervisor& message);
    void on_worker_message(const FromWorkerOf& fact);
    void on_worker_ready(std::uint32_t rank, const WorkerReady& ready);
    void on_lost_supervisor_heard(std::uint32_t rank, const FromSupervisor& message);
    void on_supervisor_gone(std::uint32_t rank, const std::string& why);
    void on_committed(const CommitOutcome& outcome);
    void check_supervisors();
    void check_interruption();
    void carry_out(const StartAttempt& action);
    void carry_out(const StartPrepare& action);
    void carry_out(const StopAttempt& action);
    void carry_out(const KillWorker& action);
    void carry_out(const AttemptEnded& action);
    void carry_out(const JobEnded& action);
    void carry_out(const SweepStopped& action);
    void carry_out_decisions();
    void share_model(const CommitOutcome& outcome);
    std::string label(JobIndex job) const { return settings_.label_of(*jobs_[job].spec); }
    void send_to_worker(WorkerId worker, ToWorker message);
    void send_to_all(const ToSupervisor& message);
    void stop_supervisors(bool is_now);
    AttemptId next_attempt();
    std::string newest_checkpoint_folder(const std::string& key) const;
    bool is_over() const;
    int exit_code() const;
    double now_s() const { return clock_.now_s(); }

    std::vector<RunJob> jobs_;
    std::vector<RunPack> packs_;
    CoordinatorSettings settings_;
    ResultStore& store_;
    Transport& transport_;
    ProgressView& view_;
    AttemptIds ids_;
    Scheduler scheduler_;
    CommitThread commits_;
    Interruption interruption_;
    std::vector<Supervisor> supervisors_;
    std::map<WorkerId, WorkerNote> workers_;
    std::unordered_map<AttemptId, AttemptNote> attempts_;
    std::unordered_multimap<std::string, JobIndex> untrained_;  ///< jobs without trained weights, by train_key
    SweepProgress progress_;
    AwakeClock clock_;
    int interruptions_seen_ = 0;
    double started_s_ = 0;
    double drain_deadline_s_ = 0;
    bool is_capacity_known_ = false;
    std::optional<std::string> ended_early_;
};

}  // namespace leadsweep

// The database of results, as its one writer sees it: the coordinator, or a command that holds the lock. Reading for
// tables and questions is read_store.hpp's business.
//
// Every method may be called from any thread, one at a time runs; each is a transaction of its own unless it runs
// inside in_transaction(). All throw StoreError; nothing is ever half written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "orchestrator/store/store_error.hpp"
#include "shared/core/ids.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/job_result.hpp"
#include "shared/job/job_state.hpp"
#include "shared/job/key.hpp"

namespace leadsweep {

using SweepId = Id<struct SweepTag>;  ///< row of `sweeps`

/// A job as the plan hands it over.
struct JobRow {
    JobKeys keys;
    std::string spec;          ///< to_json(JobSpec).dump()
    std::string lists_digest;  ///< of its fold's lists; row of `folds`
};

/// What earlier runs left of a job.
struct StoredJob {
    JobState state = JobState::kWaiting;
    std::int64_t attempts_used = 0;            ///< attempts that counted against it
    std::optional<FailureClass> last_failure;  ///< of its latest attempt; nothing if that finished or there was none
};

/// A block of attempt ids: first, first + 1, ... first + count - 1.
struct AttemptIds {
    AttemptId first;
    std::uint64_t count = 0;
};

struct AttemptStart {
    AttemptId attempt;
    JobId job;
    std::string node;
    WorkerId worker;  ///< rank 0 of the gang
    std::string device_kind;
    std::string device;  ///< uuid
    std::string folder;  ///< relative to the work folder
    std::string log_path;
    std::int64_t log_offset = 0;
};

struct SavedCheckpoint {
    AttemptId attempt;
    std::int64_t epoch = 0;  ///< completed ones
    std::string digest;      ///< SHA-256 of its file
};

/// What is known of an attempt when it is over, however it ended.
struct AttemptEnd {
    double seconds = 0;
    std::int64_t log_length = 0;  ///< bytes from log_offset on
};

/// One fold's lists file.
struct FoldRow {
    std::string lists_digest;
    std::string data_digest;
    std::string label_set;
    std::int64_t fold = 0;
    std::int64_t k = 0;
    std::string assign;
    std::int64_t seed = 0;
    std::string validation;
    bool is_leaky = false;
    std::int64_t n_train = 0;
    std::int64_t n_validation = 0;
    std::int64_t n_test = 0;
    std::string path;  ///< relative to the work folder
};

/// Something that happened; the detail is JSON text or "".
struct Event {
    std::string kind;
    std::string message;
    JobId job;
    AttemptId attempt;
    std::string detail;
};

/// Trained weights of a finished job.
struct TrainedModel {
    std::string path;  ///< relative to the work folder
    std::string digest;
    std::int64_t size_bytes = 0;
};

/// What a merge added.
struct MergeReport {
    std::int64_t jobs = 0;
    std::int64_t attempts = 0;
    std::int64_t results = 0;        ///< jobs that are finished now and were not before
    std::int64_t results_twice = 0;  ///< results of jobs that had one already: the first one counts
};

enum class OpenMode {
    kCreate,   ///< make the file if there is none
    kExisting  ///< InputError if there is none
};

struct StoreOptions {
    OpenMode mode = OpenMode::kCreate;
    std::optional<bool> is_on_network = {};  ///< nothing: ask the file system
    std::optional<bool> has_locks = {};      ///< nothing: try one
    std::string vfs = {};                    ///< of SQLite; "": its own choice
};

class ResultStore {
public:
    /// Takes the lock, opens, migrates. Throws InputError where the file is locked, no database, another program's, or
    /// of a newer version; FileError, StoreError.
    static ResultStore open(const std::string& path, StoreOptions options = {});
    ResultStore(ResultStore&&) noexcept;
    ~ResultStore();

    /// Runs `work` and commits what it did durably (fsync), or rolls all of it back and rethrows. Nested calls join the
    /// outer one; after an error inside a nested call the outer one cannot commit.
    void in_transaction(const std::function<void()>& work);

    /// Makes the sweep, or raises the revision of the one that has this name; an earlier text is kept as an event.
    /// `plan_digest`: of everything the plan says about its jobs (Plan::digest()), for registered_jobs().
    SweepId register_sweep(const std::string& name, const std::string& yaml, const std::string& hash,
                           const std::string& plan_digest = "");
    /// The jobs of a sweep whose text and plan are the ones registered last, in the plan's order: nothing has to be
    /// registered again. Nothing otherwise.
    std::optional<std::vector<JobId>> registered_jobs(const std::string& name, const std::string& hash,
                                                      const std::string& plan_digest);
    /// Stores jobs whose key is new and lists all of them in the sweep's present revision. Jobs of earlier revisions
    /// whose point is now listed under another key become stale in this sweep. Ids in the order of `jobs`.
    std::vector<JobId> upsert_jobs(SweepId sweep, std::span<const JobRow> jobs);
    /// The same for jobs that are made one after the other: a million rows need not be held at once.
    std::vector<JobId> upsert_jobs(SweepId sweep, std::size_t count, const std::function<JobRow(std::size_t)>& row_of);
    void record_folds(std::span<const FoldRow> folds);
    /// Names of a label set's classes and groups; the known sets are there from the start.
    void record_classes(const LabelSet& set);

    /// In the order of `jobs`. Of finished jobs the state alone.
    std::vector<StoredJob> load_states(std::span<const JobId> jobs);
    /// Closes attempts that were open when the last coordinator ended (as kInterrupted) and makes their jobs waiting.
    /// Returns how many. To be called once after opening, before the first attempt.
    std::int64_t requeue_running();

    /// Ids that no earlier or later call gives, durably reserved before they are returned. Not inside in_transaction
    /// (std::logic_error): ids of a rolled back transaction would be given twice.
    AttemptIds reserve_attempt_ids(std::uint64_t count = 1000);

    void record_attempt_started(const AttemptStart& start);
    /// The checkpoint that the attempt saved last. Nothing is stored where the attempt is not open.
    void record_checkpoint(const SavedCheckpoint& checkpoint);
    /// Stores all rows of the result and makes the job finished. False, and nothing stored, where the attempt is not
    /// open or its job is finished already: only the first result of a job counts.
    bool record_finished(AttemptId attempt, const JobResult& result, const AttemptEnd& end);
    /// Closes the attempt. `is_final`: the job becomes failed, invalid or cancelled after the class, else waiting
    /// again. False, and nothing stored, where the attempt is not open.
    bool record_failed(AttemptId attempt, FailureClass failure, const std::string& message, bool is_final,
                       const AttemptEnd& end);
    /// A job that has no open attempt takes another state: cancelled or invalid before it ran, waiting again (`retry`,
    /// which also forgives its attempts). False where it is finished, has an open attempt or is not there.
    bool set_state(JobId job, JobState state);
    /// Nothing where there is no such job.
    std::optional<JobState> state_of(JobId job);
    /// The result of a finished job does not count any more, for example because its files are lost: the job waits
    /// again, its attempt becomes `invalid` with this reason, its rows and files stay. False where it is not finished.
    bool withdraw_result(JobId job, const std::string& reason);
    void record_event(const Event& event);

    /// Joins the sweeps, jobs and attempts of another database into this one, in one transaction; what is here already
    /// is left alone, so that merging again adds nothing. `bring` is called for every file that the new rows name, with
    /// its path relative to the other work folder and to this one, and makes it durable here. The other database is
    /// locked meanwhile. Throws InputError where it is in use, or where the same point of a sweep has other records or
    /// semantics there.
    using BringFile = std::function<void(const std::string& from, const std::string& to)>;
    MergeReport merge_from(const std::string& other_path, const BringFile& bring);

    /// Artifact of kind "model" of a finished job with this train_key.
    std::optional<TrainedModel> find_trained_model(const std::string& train_key);

    /// A consistent copy of the database: written to a temporary name, fsynced, renamed. Not inside in_transaction.
    void write_copy(const std::string& path);
    /// Where readers find the copy of a database on a network file system.
    static std::string snapshot_path(const std::string& path) { return path + ".snapshot"; }
    /// Network file systems only: readers cannot share the file and need write_copy(snapshot_path()) each minute.
    bool needs_snapshots() const;
    const std::string& path() const;

private:
    struct State;
    explicit ResultStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Now as text in UTC: 2026-01-31T12:00:00.123Z.
std::string utc_now();

}  // namespace leadsweep

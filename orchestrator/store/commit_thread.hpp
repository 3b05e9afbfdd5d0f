// Writes to the database on a thread of its own, many changes to a commit: a slow disk delays results, never
// heartbeats. On network file systems it also writes the snapshot that readers open, at most once a minute.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "orchestrator/store/result_store.hpp"
#include "shared/core/clock.hpp"

namespace leadsweep {

/// One finished attempt on its way into the database. Its checkpoints are removed when its result is durable there.
struct FinishedAttempt {
    AttemptId attempt;
    std::size_t job_index = 0;  ///< given back in the outcome
    std::string result_path;    ///< "" if there are no rows
    std::string result_digest;
    AttemptEnd end;
};

/// What became of a finished attempt. Durable when it is handed out.
struct CommitOutcome {
    AttemptId attempt;
    std::size_t job_index = 0;
    std::optional<std::string> problem;  ///< why the result was not stored; the attempt is still open
    std::optional<Artifact> model;       ///< its trained weights; path as a whole, not relative
};

class CommitThread {
public:
    explicit CommitThread(ResultStore& store);
    /// Commits what was submitted, then ends.
    ~CommitThread();
    CommitThread(const CommitThread&) = delete;
    CommitThread& operator=(const CommitThread&) = delete;

    /// Changes are applied in the order in which they were submitted; those that wait together share a commit.
    void submit(std::function<void(ResultStore&)> change);
    void submit(AttemptStart start);
    void submit(FinishedAttempt finished);
    /// Runs `step` on this thread when everything submitted before is durable, outside of a transaction: copies of the
    /// database, answers that must not come too early. It must not throw.
    void after_commit(std::function<void(ResultStore&)> step);

    /// What waits is committed now: nothing more is expected to join it.
    void hurry();

    /// Outcomes since the last call. Throws what the database threw: nothing is stored from there on.
    std::vector<CommitOutcome> take_outcomes();
    /// Changes that are not durable yet.
    std::size_t pending() const;
    /// Processor time that the thread has used.
    double cpu_seconds() { return cpu_seconds_of(thread_.native_handle()); }

private:
    struct AfterCommit {
        std::function<void(ResultStore&)> step;
    };
    using Change = std::variant<std::function<void(ResultStore&)>, AttemptStart, FinishedAttempt, AfterCommit>;
    void add(Change change);
    void serve();
    void write_snapshot_if_due();
    std::vector<CommitOutcome> commit(std::vector<Change>& batch);

    ResultStore& store_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Change> waiting_;
    std::size_t in_work_ = 0;
    std::vector<CommitOutcome> outcomes_;
    std::exception_ptr failure_;
    bool has_news_ = false;  ///< commits since the last snapshot; the thread's own
    std::optional<std::chrono::steady_clock::time_point> last_snapshot_;
    bool is_hurried_ = false;
    bool is_ending_ = false;
    std::thread thread_;
};

}  // namespace leadsweep

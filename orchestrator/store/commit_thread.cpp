#include "orchestrator/store/commit_thread.hpp"

#include <filesystem>
#include <unordered_map>
#include <utility>

#include "shared/core/log.hpp"
#include "shared/job/attempt_files.hpp"

namespace leadsweep {
namespace {

constexpr std::chrono::seconds kSnapshotInterval{60};
/// How long a transaction waits for company: what a transaction costs the processor by itself is shared by more results.
constexpr std::chrono::milliseconds kGathering{5};

std::string folder_of(const std::string& result_path) {
    return std::filesystem::path(result_path).parent_path().string();
}

std::optional<Artifact> model_of(JobResult& result, const std::string& result_path) {
    for (Artifact& artifact : result.artifacts) {
        if (artifact.kind != "model") continue;
        artifact.path = folder_of(result_path) + "/" + artifact.path;
        return std::move(artifact);
    }
    return std::nullopt;
}

}  // namespace

CommitThread::CommitThread(ResultStore& store) : store_(store), thread_([this] { serve(); }) {}

CommitThread::~CommitThread() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void CommitThread::submit(std::function<void(ResultStore&)> change) {
    add(std::move(change));
}
void CommitThread::submit(AttemptStart start) {
    add(std::move(start));
}
void CommitThread::submit(FinishedAttempt finished) {
    add(std::move(finished));
}

void CommitThread::after_commit(std::function<void(ResultStore&)> step) {
    add(AfterCommit{std::move(step)});
}

void CommitThread::add(Change change) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(change));
        if (waiting_.size() > 1) return;  // the thread has been called already
    }
    changed_.notify_one();
}

void CommitThread::hurry() {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty() || is_hurried_) return;
        is_hurried_ = true;
    }
    changed_.notify_one();
}

std::vector<CommitOutcome> CommitThread::take_outcomes() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    return std::exchange(outcomes_, {});
}

std::size_t CommitThread::pending() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size() + in_work_ + outcomes_.size();
}

void CommitThread::serve() {
    ::pthread_setname_np(::pthread_self(), "store");
    std::unique_lock lock(mutex_);
    while (true) {
        const bool has_work =
            changed_.wait_for(lock, kSnapshotInterval, [&] { return is_ending_ || !waiting_.empty(); });
        if (!has_work) {
            lock.unlock();
            write_snapshot_if_due();
            lock.lock();
            continue;
        }
        if (waiting_.empty()) return;
        changed_.wait_for(lock, kGathering, [&] { return is_ending_ || is_hurried_; });
        is_hurried_ = false;
        std::vector<Change> batch = std::exchange(waiting_, {});
        if (failure_) continue;
        in_work_ = batch.size();
        lock.unlock();
        std::vector<CommitOutcome> outcomes;
        std::exception_ptr failure;
        try {
            outcomes = commit(batch);
            has_news_ = true;
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        in_work_ = 0;
        failure_ = failure;
        for (auto& outcome : outcomes) outcomes_.push_back(std::move(outcome));
        lock.unlock();
        if (!failure) {
            for (const Change& change : batch)
                if (const auto* after = std::get_if<AfterCommit>(&change)) after->step(store_);
            write_snapshot_if_due();
        }
        lock.lock();
    }
}

/// Readers of a database on a network file system see a copy. A copy that fails costs them news, the sweep nothing.
void CommitThread::write_snapshot_if_due() {
    if (!store_.needs_snapshots() || !has_news_) return;
    const auto now = std::chrono::steady_clock::now();
    if (last_snapshot_ && now - *last_snapshot_ < kSnapshotInterval) return;
    last_snapshot_ = now;
    try {
        store_.write_copy(ResultStore::snapshot_path(store_.path()));
        has_news_ = false;
    } catch (const Error& error) {
        log::warning("no new snapshot for readers: {}", error.what());
    }
}

/// Result files are read before the transaction begins, so that it stays short.
std::vector<CommitOutcome> CommitThread::commit(std::vector<Change>& batch) {
    std::vector<CommitOutcome> outcomes;
    std::unordered_map<std::size_t, JobResult> results;
    std::unordered_map<std::size_t, std::string> problems;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto* finished = std::get_if<FinishedAttempt>(&batch[i]);
        if (!finished || finished->result_path.empty()) continue;
        try {
            results[i] = read_job_result(finished->result_path, finished->result_digest);
        } catch (const Error& error) {
            problems[i] = error.what();
        }
    }
    store_.in_transaction([&] {
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (const auto* start = std::get_if<AttemptStart>(&batch[i])) {
                store_.record_attempt_started(*start);
                continue;
            }
            if (const auto* apply = std::get_if<std::function<void(ResultStore&)>>(&batch[i])) (*apply)(store_);
            const auto* finished = std::get_if<FinishedAttempt>(&batch[i]);
            if (!finished) continue;
            CommitOutcome& outcome = outcomes.emplace_back();
            outcome.attempt = finished->attempt;
            outcome.job_index = finished->job_index;
            if (const auto problem = problems.find(i); problem != problems.end()) {
                outcome.problem = problem->second;
                continue;
            }
            const auto result = results.find(i);
            store_.record_finished(finished->attempt, result == results.end() ? JobResult{} : result->second,
                                   finished->end);
            if (result != results.end()) outcome.model = model_of(result->second, finished->result_path);
        }
    });
    for (const auto& [i, result] : results)
        remove_checkpoints(folder_of(std::get<FinishedAttempt>(batch[i]).result_path));
    return outcomes;
}

}  // namespace leadsweep

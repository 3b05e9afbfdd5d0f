#include "orchestrator/store/commit_thread.hpp"

#include <filesystem>
#include <utility>

#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

constexpr std::chrono::seconds kSnapshotInterval{60};

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
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({std::move(change), std::nullopt, nullptr});
    }
    changed_.notify_one();
}

void CommitThread::submit(FinishedAttempt finished) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({nullptr, std::move(finished), nullptr});
    }
    changed_.notify_one();
}

void CommitThread::after_commit(std::function<void(ResultStore&)> step) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({nullptr, std::nullopt, std::move(step)});
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
        std::vector<Change> batch = std::exchange(waiting_, {});
        if (failure_) continue;
        in_work_ = batch.size();
        lock.unlock();
        std::vector<CommitOutcome> outcomes;
        std::exception_ptr failure;
        try {
            outcomes = commit(batch);
            has_news_ = true;
            for (const Change& change : batch)
                if (change.after) change.after(store_);
            write_snapshot_if_due();
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        in_work_ = 0;
        failure_ = failure;
        for (auto& outcome : outcomes) outcomes_.push_back(std::move(outcome));
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
    std::vector<JobResult> results(batch.size());
    std::vector<std::optional<std::string>> problems(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (!batch[i].finished || batch[i].finished->result_path.empty()) continue;
        try {
            results[i] = read_job_result(batch[i].finished->result_path, batch[i].finished->result_digest);
        } catch (const Error& error) {
            problems[i] = error.what();
        }
    }
    store_.in_transaction([&] {
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (batch[i].apply) batch[i].apply(store_);
            if (!batch[i].finished) continue;
            const FinishedAttempt& finished = *batch[i].finished;
            CommitOutcome outcome{finished.attempt, finished.job_index, problems[i], std::nullopt};
            if (!outcome.problem) store_.record_finished(finished.attempt, results[i], finished.end);
            const auto folder = std::filesystem::path(finished.result_path).parent_path();
            for (Artifact& artifact : results[i].artifacts) {
                if (artifact.kind != "model") continue;
                artifact.path = (folder / artifact.path).string();
                outcome.model = std::move(artifact);
            }
            outcomes.push_back(std::move(outcome));
        }
    });
    return outcomes;
}

}  // namespace leadsweep

// How attempts and jobs end: what a failure means for its job, stopping, time-outs, draining.
#include "orchestrator/schedule/scheduler.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace leadsweep {

// ---- endings --------------------------------------------------------------------------------------------------------

/// Records the first failure of an attempt and stops the rest of its gang.
void Scheduler::end_attempt(AttemptId attempt, Work& work, FailureClass failure, const std::string& message,
                            double now) {
    if (work.has_ended) return;
    work.has_ended = true;
    const FailureClass verdict = work.verdict.value_or(failure);
    const std::string& reason = work.verdict ? work.verdict_message : message;
    if (!work.job) {
        end_prepare(attempt, work, verdict, reason);
        return;
    }
    if (!work.unfinished.empty()) {
        work.kill_at = now + settings_.stop_grace_s;
        actions_.push_back(StopAttempt{attempt, {work.unfinished.begin(), work.unfinished.end()}, verdict});
    }
    settle_job(attempt, *work.job, verdict, reason);
}

void Scheduler::end_prepare(AttemptId, Work& work, FailureClass failure, const std::string& message) {
    const auto worker = workers_.find(work.gang.front());
    if (worker != workers_.end()) {
        PackOnNode& pack = pack_on(work.pack, worker->second.node);
        --pack.in_work;
        pack.missing.push_back(work.shard);
    }
    const bool is_hopeless =
        failure == FailureClass::kInvalid ||
        (counts_against_job(failure) && ++prepare_failures_[work.pack] >= settings_.prepare_attempts);
    if (!is_hopeless) return;
    for (JobIndex job = 0; job < jobs_.size(); ++job) {
        if (jobs_[job].pack != work.pack || states_[job] != JobState::kWaiting) continue;
        const JobState state = failure == FailureClass::kInvalid ? JobState::kInvalid : JobState::kFailed;
        set_state(job, state);
        actions_.push_back(JobEnded{job, state, fmt::format("its records cannot be prepared: {}", message)});
    }
}

/// Decides what becomes of a job whose attempt failed: back into the queue, or a terminal state.
void Scheduler::settle_job(AttemptId attempt, JobIndex index, FailureClass failure, const std::string& message) {
    ScheduledJob& job = jobs_[index];
    JobState state = JobState::kWaiting;
    const bool is_oom = failure == FailureClass::kOomHost || failure == FailureClass::kOomDevice;
    if (counts_against_job(failure)) ++job.attempts_used;
    if (failure == FailureClass::kInvalid)
        state = JobState::kInvalid;
    else if (failure == FailureClass::kCancelled)
        state = JobState::kCancelled;
    else if (failure == FailureClass::kDiverged)
        state = JobState::kFailed;
    else if (is_oom && has_seen_oom_[index])
        state = JobState::kFailed;
    else if (job.attempts_used >= job.max_attempts)
        state = JobState::kFailed;
    if (is_oom) has_seen_oom_[index] = job.needs_fresh_worker = true;
    set_state(index, state);
    if (state == JobState::kWaiting) enqueue(index);
    actions_.push_back(AttemptEnded{attempt, index, failure, message, state});
    count_failure(failure, message);
}

void Scheduler::count_failure(FailureClass failure, const std::string& message) {
    if (!counts_against_job(failure)) return;
    std::string text = fmt::format("{}: {}", to_string(failure), message);
    same_failures_ = text == last_failure_ ? same_failures_ + 1 : 1;
    last_failure_ = std::move(text);
    if (settings_.breaker_limit == 0 || same_failures_ < settings_.breaker_limit || is_draining_) return;
    is_draining_ = true;
    actions_.push_back(SweepStopped{fmt::format("the same failure came {} times in a row, nothing more is started: {}",
                                                same_failures_, last_failure_)});
}

void Scheduler::on_result_rejected(AttemptId attempt, JobIndex job, FailureClass failure, const std::string& message,
                                   double now) {
    if (states_[job] != JobState::kFinished) return;
    settle_job(attempt, job, failure, message);
    dispatch(now);
}

void Scheduler::on_capacity_known(double now) {
    std::map<std::string, int> slots;
    for (const auto& [id, worker] : workers_) ++slots[worker.node];
    int largest = 0;
    for (const auto& [node, count] : slots) largest = std::max(largest, count);
    for (JobIndex job = 0; job < jobs_.size(); ++job) {
        if (states_[job] != JobState::kWaiting || jobs_[job].devices <= largest) continue;
        set_state(job, JobState::kInvalid);
        actions_.push_back(JobEnded{job, JobState::kInvalid,
                                    fmt::format("needs resources.devices = {}, the largest node has {}: lower it, or "
                                                "run where a node has more",
                                                jobs_[job].devices, largest)});
    }
    dispatch(now);
}

// ---- stopping and time-outs -----------------------------------------------------------------------------------------

void Scheduler::stop_work(AttemptId attempt, Work& work, FailureClass verdict, const std::string& message,
                          double grace_s, double now) {
    if (work.verdict) return;
    work.verdict = verdict;
    work.verdict_message = message;
    work.kill_at = now + grace_s;
    actions_.push_back(StopAttempt{attempt, {work.unfinished.begin(), work.unfinished.end()}, verdict});
}

void Scheduler::kill(WorkerId id, const std::string& why) {
    Worker& worker = workers_.at(id);
    if (worker.is_killed) return;
    worker.is_killed = true;
    idle_.erase(id);
    actions_.push_back(KillWorker{id, why});
}

void Scheduler::on_tick(double now) {
    for (auto& [attempt, work] : attempts_) {
        if (now >= work.kill_at)
            for (const WorkerId id : work.unfinished)
                kill(id, work.verdict ? work.verdict_message : std::string("it did not stop in time"));
        if (work.verdict || work.has_ended) continue;
        if (now - work.last_progress > settings_.phase_timeout_s)
            stop_work(attempt, work, FailureClass::kHung,
                      fmt::format("no progress for {:.0f} s", now - work.last_progress), settings_.stop_grace_s, now);
        else if (work.job && jobs_[*work.job].timeout_s > 0 && now - work.started > jobs_[*work.job].timeout_s)
            stop_work(attempt, work, FailureClass::kHung,
                      fmt::format("longer than resources.timeout_s = {} s", jobs_[*work.job].timeout_s),
                      settings_.stop_grace_s, now);
    }
    for (auto& [id, worker] : workers_) {
        if (worker.is_killed || now - worker.last_beat <= settings_.beat_timeout_s) continue;
        const std::string why = fmt::format("no sign of life for {:.0f} s", now - worker.last_beat);
        const auto work = attempts_.find(worker.attempt);
        if (work != attempts_.end() && !work->second.verdict) {
            work->second.verdict = FailureClass::kHung;
            work->second.verdict_message = why;
        }
        kill(id, why);
    }
    dispatch(now);
}

void Scheduler::drain(bool is_now, double now) {
    is_draining_ = true;
    for (auto& [attempt, work] : attempts_) {
        if (is_now) work.kill_at = now;
        if (work.has_ended) continue;
        stop_work(attempt, work, FailureClass::kInterrupted, "the sweep was interrupted",
                  is_now ? 0 : settings_.stop_grace_s, now);
    }
}

}  // namespace leadsweep

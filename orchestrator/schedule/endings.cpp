// How attempts and jobs end: what a failure means for its job, its gang and the sweep.
#include <fmt/format.h>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {

std::vector<WorkerId> Scheduler::members(AttemptId attempt, const Work& work) const {
    std::vector<WorkerId> found;
    for (const WorkerIndex member : work.gang)
        if (cluster_.worker(member).attempt == attempt) found.push_back(cluster_.worker(member).id);
    return found;
}

/// Records the first failure of an attempt and stops the rest of its gang. `node`: where it failed.
void Scheduler::end_attempt(AttemptId attempt, Work& work, NodeIndex node, FailureClass failure,
                            const std::string& message, double now) {
    if (work.has_ended) return;
    work.has_ended = true;
    const FailureClass verdict = work.verdict.value_or(failure);
    const std::string& reason = work.verdict ? work.verdict_message : message;
    if (!work.job) {
        end_prepare(work, node, verdict, reason);
        return;
    }
    if (work.unfinished > 0) {
        work.kill_at = now + settings_.stop_grace_s;
        actions_.push_back(StopAttempt{attempt, members(attempt, work), verdict});
        for (const WorkerIndex member : work.gang)
            if (cluster_.worker(member).attempt == attempt) watch(member);
    }
    settle_job(attempt, *work.job, node, verdict, reason, now);
}

void Scheduler::end_prepare(Work& work, NodeIndex node, FailureClass failure, const std::string& message) {
    packs_.give_back(work.pack, node, work.shard);
    const bool is_hopeless =
        failure == FailureClass::kInvalid ||
        (counts_against_job(failure) && packs_.count_failure(work.pack) >= settings_.prepare_attempts);
    if (!is_hopeless) return;
    for (JobIndex job = 0; job < jobs_.size(); ++job) {
        if (jobs_[job].pack != work.pack || states_[job] != JobState::kWaiting) continue;
        const JobState state = failure == FailureClass::kInvalid ? JobState::kInvalid : JobState::kFailed;
        set_state(job, state);
        actions_.push_back(JobEnded{job, state, fmt::format("its records cannot be prepared: {}", message)});
    }
}

/// Decides what becomes of a job whose attempt failed: back into the queue, or a terminal state.
void Scheduler::settle_job(AttemptId attempt, JobIndex index, NodeIndex node, FailureClass failure,
                           const std::string& message, double now) {
    ScheduledJob& job = jobs_[index];
    JobState state = JobState::kWaiting;
    const bool is_oom = failure == FailureClass::kOomHost || failure == FailureClass::kOomDevice;
    const bool counts = counts_against_job(failure);
    if (counts) ++job.attempts_used;
    if (failure == FailureClass::kInvalid)
        state = JobState::kInvalid;
    else if (failure == FailureClass::kCancelled)
        state = JobState::kCancelled;
    else if (failure == FailureClass::kDiverged)
        state = JobState::kFailed;
    else if (is_oom && notes_[index].has_seen_oom)
        state = JobState::kFailed;
    else if (job.attempts_used >= job.max_attempts)
        state = JobState::kFailed;
    if (node != kNoNode) count_against_node(node, index, failure, now);
    if (state == JobState::kWaiting && counts) {
        JobNote& note = notes_[index];
        if (is_oom) note.has_seen_oom = job.needs_fresh_worker = true;
        if (node != kNoNode && cluster_.healthy_nodes() > 1) {
            note.avoided = node;
            avoiding_.emplace_back(now + settings_.elsewhere_s, index);
        }
    }
    set_state(index, state);
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
    now_ = now;
    if (states_[job] == JobState::kFinished) settle_job(attempt, job, kNoNode, failure, message, now);
}

}  // namespace leadsweep

// What people ask of a running sweep: cancel, retry.
#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {

bool Scheduler::cancel(JobIndex job, double now) {
    now_ = now;
    if (states_[job] == JobState::kWaiting) {
        set_state(job, JobState::kCancelled);
        actions_.push_back(JobEnded{job, JobState::kCancelled, "cancelled on request"});
        return true;
    }
    if (states_[job] != JobState::kRunning) return false;
    for (auto& [attempt, work] : attempts_)
        if (work.job == job && !work.has_ended)
            stop_work(attempt, work, FailureClass::kCancelled, "cancelled on request", settings_.stop_grace_s, now);
    return true;
}

bool Scheduler::retry(JobIndex job, double now) {
    now_ = now;
    const JobState state = states_[job];
    if (!is_terminal(state) || state == JobState::kFinished) return false;
    jobs_[job].attempts_used = 0;
    notes_.erase(job);
    set_state(job, JobState::kWaiting);
    return true;
}

}  // namespace leadsweep

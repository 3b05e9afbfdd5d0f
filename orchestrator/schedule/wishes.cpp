// What people ask of a running sweep: cancel, retry, why.
#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {

bool Scheduler::cancel(JobIndex job, double now) {
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
    if (!is_terminal(states_[job]) || states_[job] == JobState::kFinished) return false;
    jobs_[job].attempts_used = 0;
    has_seen_oom_[job] = false;
    set_state(job, JobState::kWaiting);
    enqueue(job);
    dispatch(now);
    return true;
}

std::string Scheduler::why(JobIndex job, double now) const {
    if (is_terminal(states_[job])) return fmt::format("it is {}", to_string(states_[job]));
    for (const auto& [attempt, work] : attempts_)
        if (work.job == job && !work.has_ended)
            return fmt::format("attempt {} of it has been running for {:.0f} s", attempt.value, now - work.started);
    if (is_draining_) return "the sweep is stopping: nothing more is started";
    if (workers_.empty()) return "no worker is ready yet";
    return fmt::format(
        "{} of {} workers are idle; {} jobs wait, those of higher priority and earlier in the file first", idle_.size(),
        workers_.size(), waiting_);
}

}  // namespace leadsweep

// What bounds a run: the end of the allocation, and the nodes that are left.
#include <algorithm>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {

void Scheduler::set_deadline(double at, double now) {
    now_ = now;
    deadline_ = at;
    release_held();
}

/// A job that starts now would neither end nor leave a checkpoint before the deadline.
bool Scheduler::is_late(JobIndex index, double now) const {
    if (deadline_ == kNever) return false;
    const ScheduledJob& job = jobs_[index];
    const double left = deadline_ - now;
    const double upper_s = job.upper_s > 0 ? job.upper_s : job.expected_s;
    if (upper_s > 0 && upper_s <= left) return false;
    return left < (job.checkpoint_s > 0 ? job.checkpoint_s : settings_.min_start_s);
}

/// Puts a waiting job aside: it goes on waiting, but not in this run.
void Scheduler::hold(JobIndex job) {
    dequeue(job);
    held_.insert(job);
}

void Scheduler::release_held() {
    is_held_for_capacity_ = false;
    for (const JobIndex job : std::exchange(held_, {})) enqueue(job);
    mark_all_idle();
}

bool Scheduler::fits_somewhere(JobIndex job, int largest_node) const {
    return jobs_[job].devices <= (jobs_[job].across_nodes ? cluster_.device_count() : largest_node);
}

/// Called where nothing runs and nothing could be started: what is too late, or larger than what is left of the
/// cluster, is put aside, so that a run can end.
void Scheduler::hold_what_cannot_start(double now) {
    const int largest = cluster_.largest_node();
    for (JobIndex job = 0; job < jobs_.size(); ++job) {
        if (states_[job] != JobState::kWaiting || held_.contains(job)) continue;
        const bool is_too_large = is_capacity_known_ && !fits_somewhere(job, largest);
        if (!is_too_large && !is_late(job, now)) continue;
        is_held_for_capacity_ = is_held_for_capacity_ || is_too_large;
        hold(job);
    }
}

}  // namespace leadsweep

// Jobs, their states and queues; facts about workers.
#include "orchestrator/schedule/scheduler.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace leadsweep {
namespace {

/// Numbers of devices for which a reservation may be needed: gangs, and single devices where others share theirs.
std::vector<int> gang_sizes(const std::vector<ScheduledJob>& jobs) {
    std::set<int> sizes;
    bool has_sharing = false;
    for (const ScheduledJob& job : jobs) {
        if (job.devices > 1) sizes.insert(job.devices);
        has_sharing = has_sharing || (job.devices == 1 && job.slots_per_device > 1);
    }
    if (has_sharing) sizes.insert(1);
    return {sizes.begin(), sizes.end()};
}

}  // namespace

Scheduler::Scheduler(std::vector<ScheduledJob> jobs, const std::vector<std::int64_t>& shards,
                     SchedulerSettings settings, std::function<AttemptId()> next_attempt)
    : jobs_(std::move(jobs)),
      states_(jobs_.size(), JobState::kWaiting),
      packs_(shards),
      settings_(std::move(settings)),
      next_attempt_(std::move(next_attempt)),
      cluster_(gang_sizes(jobs_)) {
    phase_index("");
    counts_[static_cast<std::size_t>(JobState::kWaiting)] = jobs_.size();
    waiting_ = jobs_.size();
    for (const ScheduledJob& job : jobs_)
        if (job.devices == 1) most_slots_ = std::max(most_slots_, job.slots_per_device);
    for (JobIndex job = 0; job < jobs_.size(); ++job) enqueue(job);
}

std::vector<Action> Scheduler::take_actions() {
    dispatch(now_);
    return std::exchange(actions_, {});
}

// ---- jobs -----------------------------------------------------------------------------------------------------------

JobShape Scheduler::shape_of(JobIndex index) const {
    const ScheduledJob& job = jobs_[index];
    JobShape shape{
        job.priority,           job.devices, job.slots_per_device, length_class(job.expected_s), job.across_nodes,
        job.needs_fresh_worker, kNoNode};
    if (job.devices > 1) shape.slots = 1;
    const auto note = notes_.empty() ? notes_.end() : notes_.find(index);
    if (note == notes_.end()) return shape;
    if (note->second.has_seen_oom) shape.slots = 1;
    shape.avoided_node = note->second.avoided;
    return shape;
}

double Scheduler::device_seconds(JobIndex index) const {
    const ScheduledJob& job = jobs_[index];
    return job.expected_s * job.devices / (job.devices > 1 ? 1 : job.slots_per_device);
}

void Scheduler::set_state(JobIndex job, JobState state) {
    JobState& current = states_[job];
    if (current == state) return;
    if (current == JobState::kWaiting) {
        --waiting_;
        if (held_.erase(job) == 0) dequeue(job);
    }
    --counts_[static_cast<std::size_t>(current)];
    ++counts_[static_cast<std::size_t>(state)];
    current = state;
    if (state != JobState::kWaiting) return;
    ++waiting_;
    enqueue(job);
    mark_all_idle();
}

void Scheduler::enqueue(JobIndex job) {
    queues_.push(shape_of(job), jobs_[job].pack, job);
    count_waiting(job, 1);
}

void Scheduler::dequeue(JobIndex job) {
    queues_.remove(shape_of(job), jobs_[job].pack, job);
    count_waiting(job, -1);
    if (reservation_ && reservation_->job == job) forget_reservation();
}

void Scheduler::count_waiting(JobIndex index, int sign) {
    const ScheduledJob& job = jobs_[index];
    waiting_device_s_ += sign * device_seconds(index);
    if (job.needs_fresh_worker) fresh_wanted_ += sign * job.devices;
    packs_.count_waiting(job.pack, sign, device_seconds(index));
}

void Scheduler::drain(bool is_now, double now) {
    now_ = now;
    is_draining_ = true;
    for (auto& [attempt, work] : attempts_) {
        if (is_now) work.kill_at = now;
        if (!work.has_ended)
            stop_work(attempt, work, FailureClass::kInterrupted, "the sweep was interrupted",
                      is_now ? 0 : settings_.stop_grace_s, now);
        for (const WorkerIndex member : work.gang)
            if (cluster_.worker(member).attempt == attempt) watch(member);
    }
}

// ---- facts ----------------------------------------------------------------------------------------------------------

void Scheduler::on_worker_ready(WorkerId id, std::uint32_t rank, std::string_view node, std::string_view device,
                                double now) {
    now_ = now;
    if (cluster_.find(id)) return;
    const WorkerIndex worker = cluster_.add(id, rank, node, device, now);
    if (is_held_for_capacity_) release_held();
    watch(worker);
    mark_dirty(cluster_.worker(worker).node);
}

void Scheduler::on_beat(WorkerId id, double now) {
    if (const WorkerIndex* worker = cluster_.find(id)) cluster_.worker(*worker).last_beat = now;
}

void Scheduler::on_progress(WorkerId id, AttemptId attempt, std::string_view phase, double now) {
    on_beat(id, now);
    const auto found = attempts_.find(attempt);
    if (found == attempts_.end()) return;
    Work& work = found->second;
    work.last_progress = now;
    if (phases_[work.phase].name == phase) return;
    work.phase = phase_index(phase);
    for (const WorkerIndex member : work.gang)
        if (cluster_.worker(member).attempt == attempt) watch(member);
}

/// A worker is done with its attempt, whose other members may go on.
void Scheduler::leave(Attempts::iterator work, WorkerIndex worker) {
    cluster_.vacate(worker);
    mark_dirty(cluster_.worker(worker).node);
    if (--work->second.unfinished == 0) attempts_.erase(work);
}

void Scheduler::on_finished(WorkerId id, AttemptId attempt, double now) {
    now_ = now;
    const WorkerIndex* known = cluster_.find(id);
    const auto found = attempts_.find(attempt);
    if (!known || found == attempts_.end() || !found->second.job || cluster_.worker(*known).attempt != attempt) return;
    const WorkerIndex worker = *known;
    Work& work = found->second;
    if (work.unfinished == 1 && !work.has_ended) {
        set_state(*work.job, JobState::kFinished);
        notes_.erase(*work.job);
        same_failures_ = 0;
        cluster_.node(cluster_.worker(worker).node).forgive();
        actions_.push_back(AttemptEnded{attempt, *work.job, std::nullopt, "", JobState::kFinished});
    }
    leave(found, worker);
}

void Scheduler::on_prepared(WorkerId id, AttemptId attempt, double now) {
    now_ = now;
    const WorkerIndex* known = cluster_.find(id);
    const auto found = attempts_.find(attempt);
    if (!known || found == attempts_.end() || found->second.job || cluster_.worker(*known).attempt != attempt) return;
    const WorkerIndex worker = *known;
    packs_.made(found->second.pack, cluster_.worker(worker).node, now - found->second.started);
    leave(found, worker);
}

void Scheduler::on_failed(WorkerId id, AttemptId attempt, FailureClass failure, const std::string& message,
                          double now) {
    now_ = now;
    const WorkerIndex* known = cluster_.find(id);
    const auto found = attempts_.find(attempt);
    if (!known || found == attempts_.end() || cluster_.worker(*known).attempt != attempt) return;
    const WorkerIndex worker = *known;
    cluster_.vacate(worker);
    --found->second.unfinished;
    mark_dirty(cluster_.worker(worker).node);
    end_attempt(attempt, found->second, cluster_.worker(worker).node, failure, message, now);
    if (found->second.unfinished == 0) attempts_.erase(found);
}

void Scheduler::on_worker_lost(WorkerId id, FailureClass failure, const std::string& message, double now) {
    now_ = now;
    if (const WorkerIndex* worker = cluster_.find(id)) remove_worker(*worker, true, failure, message, now);
}

void Scheduler::remove_worker(WorkerIndex worker, bool comes_back, FailureClass failure, const std::string& message,
                              double now) {
    const AttemptId attempt = cluster_.worker(worker).attempt;
    const NodeIndex node = cluster_.worker(worker).node;
    cluster_.remove(worker, comes_back, now);
    lose_reserved(node);
    mark_dirty(node);
    const auto found = attempts_.find(attempt);
    if (found == attempts_.end()) return;
    --found->second.unfinished;
    end_attempt(attempt, found->second, node, failure, message, now);
    if (found->second.unfinished == 0) attempts_.erase(found);
}

void Scheduler::on_supervisor_lost(std::uint32_t rank, const std::string& message, double now) {
    now_ = now;
    for (const WorkerIndex worker : cluster_.workers_of_rank(rank))
        remove_worker(worker, false, FailureClass::kNodeLost, message, now);
    cluster_.forget_rank(rank);
    if (cluster_.healthy_nodes() == 0)
        for (const NodeIndex node : std::vector<NodeIndex>(quarantined_)) end_quarantine(node);
    mark_all_idle();
}

void Scheduler::on_capacity_known(double now) {
    now_ = now;
    is_capacity_known_ = true;
    const int largest = cluster_.largest_node();
    for (JobIndex job = 0; job < jobs_.size(); ++job) {
        if (states_[job] != JobState::kWaiting || fits_somewhere(job, largest)) continue;
        const bool spans = jobs_[job].across_nodes;
        set_state(job, JobState::kInvalid);
        actions_.push_back(
            JobEnded{job, JobState::kInvalid,
                     fmt::format("needs resources.devices = {}, {} {}: lower it, or run where there are more",
                                 jobs_[job].devices, spans ? "all nodes together have" : "the largest node has",
                                 spans ? cluster_.device_count() : largest)});
    }
    mark_all_idle();
}

}  // namespace leadsweep

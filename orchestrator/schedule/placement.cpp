// What starts where: nodes on which something changed are filled with the first jobs that fit.
#include <algorithm>
#include <stdexcept>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {
namespace {

bool has_room(const Node& node, const JobShape& shape) {
    if (shape.is_exclusive()) return node.free_devices >= shape.devices;
    return std::any_of(node.devices.begin(), node.devices.end(),
                       [&](const DeviceOnNode& device) { return device.takes(shape.slots); });
}

}  // namespace

void Scheduler::mark_dirty(NodeIndex node) {
    if (std::exchange(cluster_.node(node).is_dirty, true)) return;
    dirty_.push_back(node);
}

void Scheduler::mark_all_idle() {
    for (const NodeIndex node : cluster_.idle_nodes()) mark_dirty(node);
}

void Scheduler::dispatch(double now) {
    if (dirty_.empty()) return;
    if (cluster_.device_count() > 0) queues_.set_horizon(waiting_device_s_ / cluster_.device_count());
    while (!dirty_.empty()) {
        if (!is_draining_ && (serve_head(now) || start_one(dirty_.back(), now))) continue;
        cluster_.node(dirty_.back()).is_dirty = false;
        dirty_.pop_back();
    }
    const bool can_end = is_capacity_known_ || deadline_ < kNever;
    if (can_end && attempts_.empty() && waiting_ > held_.size() && !is_draining_) hold_what_cannot_start(now);
}

/// Starts the first thing that fits on a node. A pack for urgent jobs is made before lesser jobs start.
bool Scheduler::start_one(NodeIndex node, double now) {
    const Node& place = cluster_.node(node);
    if (place.idle_workers == 0 || place.is_quarantined()) return false;
    std::optional<PackIndex> wanted;
    std::int64_t level = 0;
    for (const auto& [rank, queue] : queues_.order()) {
        if (wanted && rank.descending_priority != level) break;
        if (start_from(*queue, node, now)) return true;
        if (place.idle_workers == 0) return false;  // the last one was ended to get a fresh one
        if (wanted || !packs_.is_work()) continue;
        wanted = pack_to_make(*queue, node, now);
        level = rank.descending_priority;
    }
    if (wanted) start_prepare(*wanted, node, now);
    return wanted.has_value();
}

/// True where something changed: a job was started, or put aside.
bool Scheduler::start_from(const ShapeQueue& queue, NodeIndex node, double now) {
    const JobShape& shape = queue.shape;
    if (shape.avoided_node == node || !has_room(cluster_.node(node), shape)) return false;
    const auto pack = pick_pack(queue, node);
    if (!pack) return false;
    const JobIndex job = queue.by_pack.at(*pack).front();
    if (is_late(job, now)) {
        hold(job);
        return true;
    }
    const std::vector<WorkerIndex> gang = pick_workers(node, shape, *pack, shape.devices);
    const double upper_s = jobs_[job].upper_s > 0 ? jobs_[job].upper_s : jobs_[job].expected_s;
    if (!spares_reservation(node, gang, upper_s > 0 ? now + upper_s : kUnknownTime)) return false;
    if (shape.needs_fresh_worker && !make_fresh(gang, now)) return false;
    start(job, JobShape(shape), gang, now);
    return true;
}

/// The pack that a worker here used last, else that of the first job; only packs that are complete here.
std::optional<PackIndex> Scheduler::pick_pack(const ShapeQueue& queue, NodeIndex node) const {
    if (queue.by_pack.size() > 1)
        for (const DeviceOnNode& device : cluster_.node(node).devices)
            for (const WorkerIndex index : device.workers) {
                const Worker& worker = cluster_.worker(index);
                if (worker.is_idle() && device.takes(queue.shape.slots) && queue.by_pack.contains(worker.last_pack))
                    return worker.last_pack;
            }
    for (const auto& [job, pack] : queue.heads)
        if (packs_.is_complete(pack, node)) return pack;
    return std::nullopt;
}

/// The best workers for a job on distinct devices of a node: devices with the fewest attempts, then workers that have
/// the pack loaded. Fresh workers are left to jobs that ask for them.
std::vector<WorkerIndex> Scheduler::pick_workers(NodeIndex node, const JobShape& shape, PackIndex pack,
                                                 int devices) const {
    struct Candidate {
        int cost;
        WorkerIndex worker;
    };
    std::vector<Candidate> best;
    for (const DeviceOnNode& device : cluster_.node(node).devices) {
        if (shape.is_exclusive() ? !device.is_free() : !device.takes(shape.slots)) continue;
        Candidate chosen{std::numeric_limits<int>::max(), 0};
        for (const WorkerIndex index : device.workers) {
            const Worker& worker = cluster_.worker(index);
            if (!worker.is_idle()) continue;
            const bool is_unwanted = shape.needs_fresh_worker ? !worker.is_fresh : worker.is_fresh && fresh_wanted_ > 0;
            const int cost = 4 * device.running + (is_unwanted ? 2 : 0) + (worker.last_pack == pack ? 0 : 1);
            if (cost < chosen.cost) chosen = {cost, index};
        }
        best.push_back(chosen);
    }
    std::stable_sort(best.begin(), best.end(), [](const Candidate& a, const Candidate& b) { return a.cost < b.cost; });
    std::vector<WorkerIndex> gang;
    for (std::size_t i = 0; i < best.size() && i < static_cast<std::size_t>(devices); ++i)
        gang.push_back(best[i].worker);
    return gang;
}

/// Whether all these workers are fresh; those that are not are replaced, as many as waiting jobs ask for.
bool Scheduler::make_fresh(const std::vector<WorkerIndex>& gang, double now) {
    bool is_fresh = true;
    for (const WorkerIndex worker : gang) {
        if (cluster_.worker(worker).is_fresh) continue;
        is_fresh = false;
        if (cluster_.fresh_expected() < fresh_wanted_) kill(worker, "the next job asks for a fresh process", true, now);
    }
    return is_fresh;
}

void Scheduler::start(JobIndex job, const JobShape& shape, const std::vector<WorkerIndex>& gang, double now) {
    const AttemptId attempt = next_attempt_();
    set_state(job, JobState::kRunning);
    Work work;
    work.job = job;
    work.pack = jobs_[job].pack;
    work.gang = gang;
    work.unfinished = gang.size();
    work.started = work.last_progress = now;
    if (jobs_[job].expected_s > 0) work.expected_end = now + jobs_[job].expected_s;
    StartAttempt action{attempt, job, {}};
    for (const WorkerIndex index : gang) {
        Worker& worker = cluster_.worker(index);
        worker.last_pack = static_cast<std::uint32_t>(work.pack);
        worker.is_fresh = false;
        action.gang.push_back(worker.id);
        cluster_.occupy(index, attempt, shape.slots, work.expected_end);
    }
    attempts_.emplace(attempt, std::move(work));
    for (const WorkerIndex index : gang) watch(index);
    actions_.push_back(std::move(action));
}

// ---- packs ----------------------------------------------------------------------------------------------------------

std::optional<PackIndex> Scheduler::pack_to_make(const ShapeQueue& queue, NodeIndex node, double now) const {
    const JobShape& shape = queue.shape;
    if (cluster_.node(node).device_count < shape.devices && !shape.may_span_nodes) return std::nullopt;
    for (const auto& [job, pack] : queue.heads) {
        if (!packs_.has_missing(pack, node)) continue;
        if (is_reserved(node) && jobs_[reservation_->job].pack == pack) return pack;
        if (!packs_.is_worth_making(pack, node, cluster_)) continue;
        if (spares_reservation(node, {idle_worker(node)}, now + packs_.shard_seconds())) return pack;
    }
    return std::nullopt;
}

WorkerIndex Scheduler::idle_worker(NodeIndex node) const {
    for (const DeviceOnNode& device : cluster_.node(node).devices)
        for (const WorkerIndex worker : device.workers)
            if (cluster_.worker(worker).is_idle()) return worker;
    throw std::logic_error("a node without idle workers was asked for one");
}

void Scheduler::start_prepare(PackIndex pack, NodeIndex node, double now) {
    const AttemptId attempt = next_attempt_();
    const WorkerIndex worker = idle_worker(node);
    Work work;
    work.pack = pack;
    work.shard = packs_.take_shard(pack, node);
    work.gang = {worker};
    work.unfinished = 1;
    work.started = work.last_progress = now;
    work.expected_end = now + packs_.shard_seconds();
    actions_.push_back(StartPrepare{attempt, pack, work.shard, cluster_.worker(worker).id});
    cluster_.occupy(worker, attempt, std::numeric_limits<int>::max(), work.expected_end);
    attempts_.emplace(attempt, std::move(work));
    watch(worker);
}

}  // namespace leadsweep

// Gangs at the head of the queue: where they fit first, and what may run there meanwhile.
#include <algorithm>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {

/// Single devices need no reservation, unless jobs that share devices could keep all of them busy.
bool Scheduler::can_reserve(const JobShape& shape) const {
    return shape.devices > 1 || (most_slots_ > 1 && shape.slots == 1);
}

/// Starts the first job where that is a gang that fits, else reserves devices for it. True where something changed.
bool Scheduler::serve_head(double now) {
    if (!reservation_) {
        for (const auto& [rank, queue] : queues_.order()) {
            if (!can_reserve(queue->shape)) return false;
            reservation_ = Reservation{queue->heads.begin()->first, {}, kUnknownTime};
            if (choose_reserved_nodes(now)) break;
            reservation_.reset();  // no node can hold it for now: the next one
        }
        if (!reservation_) return false;
    } else if (reservation_->nodes.empty() && !choose_reserved_nodes(now)) {
        forget_reservation();
        return true;
    }
    const JobIndex job = reservation_->job;
    if (is_late(job, now) ||
        (reservation_->shadow < kUnknownTime && is_late(job, std::max(now, reservation_->shadow)))) {
        hold(job);
        return true;
    }
    const JobShape shape = shape_of(job);
    const std::vector<WorkerIndex> gang = gang_of_head(shape, jobs_[job].pack);
    if (gang.empty() || (shape.needs_fresh_worker && !make_fresh(gang, now))) return false;
    start(job, shape, gang, now);
    return true;
}

/// Finds the nodes where the job of the reservation fits first. False where it fits on none, even empty.
bool Scheduler::choose_reserved_nodes(double now) {
    const JobShape shape = shape_of(reservation_->job);
    const NodeIndex node = best_node(shape, jobs_[reservation_->job].pack);
    if (node != kNoNode) {
        reservation_->nodes = {node};
        const double when = cluster_.when_free(node, shape.devices);
        reservation_->shadow = when < 0 ? now : when;
        return true;
    }
    if (shape.may_span_nodes) choose_spanning_nodes(shape);
    return !reservation_->nodes.empty();
}

/// The devices that are free first, wherever they are; where times are equal or unknown, on the emptiest nodes.
void Scheduler::choose_spanning_nodes(const JobShape& shape) {
    struct Candidate {
        double when;
        int descending_free;
        NodeIndex node;
        auto operator<=>(const Candidate&) const = default;
    };
    std::vector<Candidate> devices;
    for (NodeIndex node = 0; node < cluster_.node_count(); ++node) {
        const Node& place = cluster_.node(node);
        if (!place.counts_as_healthy) continue;
        for (const DeviceOnNode& device : place.devices)
            if (device.when_free() < kNever) devices.push_back({device.when_free(), -place.free_devices, node});
    }
    const auto wanted = static_cast<std::ptrdiff_t>(shape.devices);
    if (static_cast<std::ptrdiff_t>(devices.size()) < wanted) return;
    std::partial_sort(devices.begin(), devices.begin() + wanted, devices.end());
    std::set<NodeIndex> nodes;
    for (auto device = devices.begin(); device != devices.begin() + wanted; ++device) nodes.insert(device->node);
    reservation_->nodes.assign(nodes.begin(), nodes.end());
    reservation_->shadow = devices[static_cast<std::size_t>(wanted - 1)].when;
}

/// The node that can hold a gang first; of nodes that have its pack, if there are any.
NodeIndex Scheduler::best_node(const JobShape& shape, PackIndex pack) {
    NodeIndex best = kNoNode;
    if (!packs_.is_everywhere(pack)) {
        for (const NodeIndex node : packs_.complete_nodes(pack)) {
            if (node == shape.avoided_node) continue;
            const double when = cluster_.when_free(node, shape.devices);
            if (when < (best == kNoNode ? kNever : cluster_.when_free(best, shape.devices))) best = node;
        }
    }
    return best != kNoNode ? best : cluster_.earliest(shape.devices, shape.avoided_node);
}

/// Workers for the job at the head, wherever they are free; empty where it has to wait.
std::vector<WorkerIndex> Scheduler::gang_of_head(const JobShape& shape, PackIndex pack) {
    // Fresh workers are made on the reserved node, not on one after another.
    const NodeIndex node = shape.needs_fresh_worker ? reservation_->nodes.front() : best_node(shape, pack);
    if (node != kNoNode && cluster_.when_free(node, shape.devices) < 0)
        return packs_.is_complete(pack, node) ? pick_workers(node, shape, pack, shape.devices)
                                              : std::vector<WorkerIndex>();
    return shape.may_span_nodes ? spanning_gang(shape, pack) : std::vector<WorkerIndex>();
}

/// Free devices of several nodes that have the pack, of as few nodes as possible.
std::vector<WorkerIndex> Scheduler::spanning_gang(const JobShape& shape, PackIndex pack) const {
    if (cluster_.free_devices() < shape.devices) return {};
    std::vector<std::pair<int, NodeIndex>> nodes;
    for (const NodeIndex node : cluster_.idle_nodes()) {
        const Node& place = cluster_.node(node);
        if (!place.is_quarantined() && place.free_devices > 0 && packs_.is_complete(pack, node))
            nodes.emplace_back(-place.free_devices, node);
    }
    std::sort(nodes.begin(), nodes.end());
    std::vector<WorkerIndex> gang;
    for (const auto& [descending_free, node] : nodes) {
        const auto missing = shape.devices - static_cast<int>(gang.size());
        const auto more = pick_workers(node, shape, pack, missing);
        gang.insert(gang.end(), more.begin(), more.end());
        if (static_cast<int>(gang.size()) == shape.devices) return gang;
    }
    return {};
}

bool Scheduler::is_reserved(NodeIndex node) const {
    if (!reservation_) return false;
    const auto& nodes = reservation_->nodes;
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

/// Whether these workers may be busy until `ends_at` without delaying the gang for which their node is reserved.
bool Scheduler::spares_reservation(NodeIndex node, const std::vector<WorkerIndex>& gang, double ends_at) const {
    if (!is_reserved(node)) return true;
    const double shadow = reservation_->shadow;
    if (shadow >= kUnknownTime) return false;
    if (ends_at <= shadow) return true;
    int left = -static_cast<int>(gang.size());
    for (const NodeIndex reserved : reservation_->nodes)
        for (const DeviceOnNode& device : cluster_.node(reserved).devices)
            if (device.when_free() <= shadow) ++left;
    // A device that is shared and busy beyond the shadow was not counted, so nothing is lost by using it.
    for (const WorkerIndex worker : gang) {
        const Worker& member = cluster_.worker(worker);
        if (cluster_.node(node).devices[member.device].when_free() > shadow) ++left;
    }
    return left >= jobs_[reservation_->job].devices;
}

/// The devices that were kept are anybody's again.
void Scheduler::forget_reservation() {
    const std::vector<NodeIndex> nodes = std::move(reservation_->nodes);
    reservation_.reset();
    for (const NodeIndex node : nodes) mark_dirty(node);
}

/// Something happened on a node: if it was reserved, the best place is looked for anew.
void Scheduler::lose_reserved(NodeIndex node) {
    if (!is_reserved(node)) return;
    for (const NodeIndex reserved : std::exchange(reservation_->nodes, {})) mark_dirty(reserved);
}

}  // namespace leadsweep

#include "orchestrator/schedule/cluster.hpp"

#include <algorithm>
#include <utility>

namespace leadsweep {
namespace {

constexpr double kRestart_s = 10;  // a new worker is expected to take so long
constexpr double kNow = -1e6;

}  // namespace

Cluster::Cluster(std::vector<int> gang_sizes) : gang_sizes_(std::move(gang_sizes)), tournaments_(gang_sizes_.size()) {}

// ---- workers come and go --------------------------------------------------------------------------------------------

WorkerIndex Cluster::add(WorkerId id, std::uint32_t rank, std::string_view name, std::string_view device_name,
                         double now) {
    auto known = node_by_name_.find(name);
    if (known == node_by_name_.end()) {
        known = node_by_name_.emplace(name, static_cast<NodeIndex>(nodes_.size())).first;
        nodes_.emplace_back().name = name;
    }
    Node& at = nodes_[known->second];
    auto device = std::find_if(at.devices.begin(), at.devices.end(), [&](const DeviceOnNode& candidate) {
        return candidate.rank == rank && candidate.name == device_name;
    });
    if (device == at.devices.end()) {
        device = at.devices.emplace(at.devices.end());
        device->rank = rank;
        device->name = device_name;
    }
    WorkerIndex index = static_cast<WorkerIndex>(workers_.size());
    if (unused_.empty()) {
        workers_.emplace_back();
    } else {
        index = unused_.back();
        unused_.pop_back();
    }
    Worker& worker = workers_[index] = Worker{};
    worker.id = id;
    worker.rank = rank;
    worker.node = known->second;
    worker.device = static_cast<std::uint32_t>(device - at.devices.begin());
    worker.last_beat = now;
    device->workers.push_back(index);
    ++device->idle;
    if (std::exchange(device->awaits_fresh, false)) --fresh_expected_;
    by_id_[id] = index;
    refresh(worker.node);
    return index;
}

void Cluster::remove(WorkerIndex index, bool comes_back, double now) {
    if (workers_[index].attempt) vacate(index);
    const Worker& worker = workers_[index];
    DeviceOnNode& device = device_of(worker);
    if (worker.is_idle()) --device.idle;
    device.workers.erase(std::find(device.workers.begin(), device.workers.end(), index));
    device.back_at = comes_back ? now + kRestart_s : kNever;
    if (!comes_back && std::exchange(device.awaits_fresh, false)) --fresh_expected_;
    by_id_.erase(worker.id);
    unused_.push_back(index);
    const NodeIndex node = worker.node;
    workers_[index] = Worker{};
    refresh(node);
}

void Cluster::forget_rank(std::uint32_t rank) {
    for (NodeIndex index = 0; index < nodes_.size(); ++index) {
        bool is_changed = false;
        for (DeviceOnNode& device : nodes_[index].devices) {
            if (device.rank != rank || device.back_at == kNever) continue;
            if (std::exchange(device.awaits_fresh, false)) --fresh_expected_;
            device.back_at = kNever;
            is_changed = true;
        }
        if (is_changed) refresh(index);
    }
}

void Cluster::set_killed(WorkerIndex index, bool for_freshness, double now) {
    Worker& worker = workers_[index];
    DeviceOnNode& device = device_of(worker);
    if (worker.is_idle()) --device.idle;
    worker.is_killed = true;
    device.back_at = now + kRestart_s;
    if (for_freshness && !device.awaits_fresh) {
        device.awaits_fresh = true;
        ++fresh_expected_;
    }
    refresh(worker.node);
}

// ---- attempts come and go -------------------------------------------------------------------------------------------

void Cluster::occupy(WorkerIndex index, AttemptId attempt, int slots, double ends_at) {
    Worker& worker = workers_[index];
    DeviceOnNode& device = device_of(worker);
    worker.attempt = attempt;
    worker.slots = slots;
    worker.ends_at = ends_at;
    --device.idle;
    ++device.running;
    device.limit = std::min(device.limit, slots);
    device.free_at = std::max(device.free_at, ends_at);
    refresh(worker.node);
}

void Cluster::vacate(WorkerIndex index) {
    Worker& worker = workers_[index];
    DeviceOnNode& device = device_of(worker);
    worker.attempt = {};
    if (!worker.is_killed) ++device.idle;
    --device.running;
    device.limit = std::numeric_limits<int>::max();
    device.free_at = 0;
    if (device.running > 0)
        for (const WorkerIndex other : device.workers) {
            if (!workers_[other].attempt) continue;
            device.limit = std::min(device.limit, workers_[other].slots);
            device.free_at = std::max(device.free_at, workers_[other].ends_at);
        }
    refresh(worker.node);
}

void Cluster::expect_end(WorkerIndex index, double ends_at) {
    Worker& worker = workers_[index];
    worker.ends_at = ends_at;
    DeviceOnNode& device = device_of(worker);
    device.free_at = 0;
    for (const WorkerIndex other : device.workers)
        if (workers_[other].attempt) device.free_at = std::max(device.free_at, workers_[other].ends_at);
    refresh(worker.node);
}

void Cluster::set_quarantine(NodeIndex index, double until) {
    nodes_[index].quarantined_until = until;
    refresh(index);
}

// ---- what is free ---------------------------------------------------------------------------------------------------

/// Brings the sums of a node and of the cluster up to date with its devices.
void Cluster::refresh(NodeIndex index) {
    Node& node = nodes_[index];
    const bool was_idle = node.idle_workers > 0;
    device_count_ -= node.device_count;
    if (node.counts_as_healthy) {
        free_devices_ -= node.free_devices;
        --healthy_nodes_;
    }
    node.idle_workers = node.live_workers = node.free_devices = node.device_count = 0;
    for (const DeviceOnNode& device : node.devices) {
        node.idle_workers += device.idle;
        node.live_workers += static_cast<int>(device.workers.size());
        node.free_devices += device.is_free() ? 1 : 0;
        node.device_count += !device.workers.empty() || device.back_at < kNever ? 1 : 0;
    }
    device_count_ += node.device_count;
    node.counts_as_healthy = node.live_workers > 0 && !node.is_quarantined();
    if (node.counts_as_healthy) {
        free_devices_ += node.free_devices;
        ++healthy_nodes_;
    }
    list_idle(index, was_idle);
    for (std::size_t i = 0; i < gang_sizes_.size(); ++i)
        tournaments_[i].set(index, compute_when_free(node, gang_sizes_[i]));
}

void Cluster::list_idle(NodeIndex index, bool was_idle) {
    Node& node = nodes_[index];
    const bool is_idle = node.idle_workers > 0;
    if (is_idle == was_idle) return;
    if (is_idle) {
        node.place_in_idle = idle_nodes_.size();
        idle_nodes_.push_back(index);
        return;
    }
    const NodeIndex last = idle_nodes_.back();
    idle_nodes_[node.place_in_idle] = last;
    nodes_[last].place_in_idle = node.place_in_idle;
    idle_nodes_.pop_back();
}

double Cluster::compute_when_free(const Node& node, int devices) const {
    if (!node.counts_as_healthy || node.device_count < devices) return kNever;
    if (node.free_devices >= devices) return kNow + node.free_devices;
    scratch_.clear();
    for (const DeviceOnNode& device : node.devices) scratch_.push_back(device.when_free());
    const auto last = scratch_.begin() + (devices - 1);
    std::nth_element(scratch_.begin(), last, scratch_.end());
    return *last < kUnknownTime ? *last : kUnknownTime + devices - node.free_devices;
}

std::size_t Cluster::tournament(int devices) const {
    const auto place = std::lower_bound(gang_sizes_.begin(), gang_sizes_.end(), devices);
    return static_cast<std::size_t>(place - gang_sizes_.begin());
}

NodeIndex Cluster::earliest(int devices, NodeIndex avoided) {
    Tournament& times = tournaments_[tournament(devices)];
    const double own = avoided == kNoNode ? kNever : times.at(avoided);
    if (own < kNever) times.set(avoided, kNever);
    NodeIndex found = times.earliest() < kNever ? static_cast<NodeIndex>(times.winner()) : kNoNode;
    if (own < kNever) times.set(avoided, own);
    return found == kNoNode && own < kNever ? avoided : found;
}

int Cluster::largest_node() const {
    int largest = 0;
    for (const Node& node : nodes_) largest = std::max(largest, node.device_count);
    return largest;
}

const WorkerIndex* Cluster::find(WorkerId id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &found->second;
}

std::vector<WorkerIndex> Cluster::workers_of_rank(std::uint32_t rank) const {
    std::vector<WorkerIndex> found;
    for (WorkerIndex index = 0; index < workers_.size(); ++index)
        if (workers_[index].id && workers_[index].rank == rank) found.push_back(index);
    return found;
}

}  // namespace leadsweep

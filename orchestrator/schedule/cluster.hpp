// Nodes, their devices and the workers on them: what is free, and when more will be. Knows nothing of jobs.
//
// A worker owns one slot of a device. A device is *free* when none of its workers has an attempt and one can take one.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "orchestrator/schedule/earliest.hpp"
#include "orchestrator/schedule/queues.hpp"

namespace leadsweep {

using NodeIndex = std::uint32_t;
using WorkerIndex = std::uint32_t;
inline constexpr std::uint32_t kNoPack = 0xffffffff;
inline constexpr double kNever = Tournament::kNever;
/// Times from here on mean: when work of unknown length ends.
inline constexpr double kUnknownTime = 1e15;

struct Worker {
    WorkerId id;
    std::uint32_t rank = 0;
    NodeIndex node = 0;
    std::uint32_t device = 0;  ///< on its node
    std::uint32_t last_pack = kNoPack;
    bool is_fresh = true;
    bool is_killed = false;
    double last_beat = 0;
    double alarm = kNever;  ///< when it is looked at for time-outs
    AttemptId attempt;      ///< 0: idle
    double ends_at = 0;     ///< of the attempt, as expected
    int slots = 1;          ///< that the attempt allows on its device
    bool is_idle() const { return !attempt && !is_killed; }
};

struct DeviceOnNode {
    std::uint32_t rank = 0;
    std::string name;
    std::vector<WorkerIndex> workers;
    int running = 0;                              ///< attempts on it
    int limit = std::numeric_limits<int>::max();  ///< most attempts that those on it allow
    int idle = 0;                                 ///< workers that can take an attempt
    double free_at = 0;                           ///< when what runs is expected to have ended
    double back_at = kNever;                      ///< without workers: when the next is expected
    bool awaits_fresh = false;                    ///< a worker was ended to get a fresh one

    bool is_free() const { return running == 0 && idle > 0; }
    bool takes(int slots) const { return idle > 0 && running < std::min(slots, limit); }
    /// When it is free: 0 is now.
    double when_free() const { return running > 0 ? free_at : idle > 0 ? 0 : back_at; }
};

struct Node {
    std::string name;
    std::vector<DeviceOnNode> devices;
    int idle_workers = 0;
    int live_workers = 0;
    int free_devices = 0;
    int device_count = 0;  ///< with a worker, or with one expected
    std::size_t place_in_idle = 0;
    bool is_dirty = false;
    bool counts_as_healthy = false;  ///< has workers, is not quarantined
    double quarantined_until = 0;
    int quarantines = 0;
    std::vector<std::pair<double, JobIndex>> failures;  ///< since an attempt finished here
    bool is_quarantined() const { return quarantined_until > 0; }
    void forgive() {
        failures.clear();
        quarantines = 0;
    }
};

class Cluster {
public:
    /// `gang_sizes`: the numbers of devices for which earliest() will be asked.
    explicit Cluster(std::vector<int> gang_sizes);

    WorkerIndex add(WorkerId id, std::uint32_t rank, std::string_view node, std::string_view device, double now);
    /// `comes_back`: its supervisor starts another.
    void remove(WorkerIndex worker, bool comes_back, double now);
    /// No more workers come from this rank.
    void forget_rank(std::uint32_t rank);
    /// Gives the worker an attempt that allows `slots` on its device and ends at `ends_at`.
    void occupy(WorkerIndex worker, AttemptId attempt, int slots, double ends_at);
    void vacate(WorkerIndex worker);
    void set_killed(WorkerIndex worker, bool for_freshness, double now);
    void set_quarantine(NodeIndex node, double until);
    /// What runs on this worker's device is now expected to end then.
    void expect_end(WorkerIndex worker, double ends_at);

    const WorkerIndex* find(WorkerId id) const;
    Worker& worker(WorkerIndex index) { return workers_[index]; }
    const Worker& worker(WorkerIndex index) const { return workers_[index]; }
    Node& node(NodeIndex index) { return nodes_[index]; }
    const Node& node(NodeIndex index) const { return nodes_[index]; }
    std::size_t node_count() const { return nodes_.size(); }
    std::vector<WorkerIndex> workers_of_rank(std::uint32_t rank) const;
    const std::vector<NodeIndex>& idle_nodes() const { return idle_nodes_; }

    /// When this node has so many devices free: negative = now (the fewer spare devices the lower), from kUnknownTime
    /// on = not known, kNever = it cannot.
    double when_free(NodeIndex node, int devices) const { return tournaments_[tournament(devices)].at(node); }
    /// The node where that is first.
    NodeIndex earliest(int devices, NodeIndex avoided = kNoNode);

    std::size_t worker_count() const { return by_id_.size(); }
    int device_count() const { return device_count_; }
    int free_devices() const { return free_devices_; }  ///< on nodes that may get work
    int healthy_nodes() const { return healthy_nodes_; }
    int largest_node() const;  ///< devices of the largest node
    int fresh_expected() const { return fresh_expected_; }

private:
    std::size_t tournament(int devices) const;
    DeviceOnNode& device_of(const Worker& worker) { return nodes_[worker.node].devices[worker.device]; }
    void refresh(NodeIndex node);
    void list_idle(NodeIndex node, bool was_idle);
    double compute_when_free(const Node& node, int devices) const;

    std::vector<int> gang_sizes_;
    std::vector<Tournament> tournaments_;
    std::vector<Node> nodes_;
    std::map<std::string, NodeIndex, std::less<>> node_by_name_;
    std::vector<Worker> workers_;
    std::vector<WorkerIndex> unused_;
    std::unordered_map<WorkerId, WorkerIndex> by_id_;
    std::vector<NodeIndex> idle_nodes_;
    mutable std::vector<double> scratch_;
    int device_count_ = 0;
    int free_devices_ = 0;
    int healthy_nodes_ = 0;
    int fresh_expected_ = 0;
};

}  // namespace leadsweep

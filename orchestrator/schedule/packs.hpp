// Which packs lie on which nodes, which shards are missing there, and how many jobs wait for them.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "orchestrator/schedule/cluster.hpp"

namespace leadsweep {

class Packs {
public:
    /// `shards[p]`: number of shards of pack p; 0: nothing has to be made.
    explicit Packs(const std::vector<std::int64_t>& shards);

    /// Some pack has to be made.
    bool is_work() const { return has_shards_; }
    bool is_everywhere(PackIndex pack) const { return packs_[pack].shards == 0; }
    bool is_complete(PackIndex pack, NodeIndex node) const;
    bool has_missing(PackIndex pack, NodeIndex node) const;
    const std::vector<NodeIndex>& complete_nodes(PackIndex pack) const { return packs_[pack].complete; }
    std::int64_t shards(PackIndex pack) const { return packs_[pack].shards; }
    bool has_begun(PackIndex pack, NodeIndex node) const { return places_.contains(key(pack, node)); }
    std::int64_t shards_made(PackIndex pack, NodeIndex node) const;

    std::int64_t take_shard(PackIndex pack, NodeIndex node);  ///< one that is missing there
    void give_back(PackIndex pack, NodeIndex node, std::int64_t shard);
    void made(PackIndex pack, NodeIndex node, double seconds);

    /// Jobs that wait for the pack: `seconds` of one device each, 0 = unknown.
    void count_waiting(PackIndex pack, int jobs, double seconds);
    /// Whether to make the pack on a node where it was not begun: only where more of its jobs wait than there are
    /// devices where it is, and, with lengths known, where they would wait longer than making it takes.
    bool is_worth_making(PackIndex pack, NodeIndex node, const Cluster& cluster) const;
    /// Mean time of a shard, as seen so far.
    double shard_seconds() const { return shard_s_; }

    /// Failures to make a shard, this one included.
    int count_failure(PackIndex pack) { return ++packs_[pack].failures; }

private:
    struct Pack {
        std::int64_t shards = 0;
        std::vector<NodeIndex> begun;
        std::vector<NodeIndex> complete;
        std::int64_t waiting = 0;
        std::int64_t waiting_unknown = 0;  ///< of these, of unknown length
        double waiting_s = 0;
        int failures = 0;
    };
    struct Place {
        std::deque<std::int64_t> missing;
        std::int64_t in_work = 0;
    };
    static std::uint64_t key(PackIndex pack, NodeIndex node) { return (std::uint64_t{pack} << 32U) | node; }

    std::vector<Pack> packs_;
    std::unordered_map<std::uint64_t, Place> places_;
    bool has_shards_ = false;
    double shard_s_ = 10;  // a guess until one was made
};

}  // namespace leadsweep

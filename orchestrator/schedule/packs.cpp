#include "orchestrator/schedule/packs.hpp"

#include <algorithm>

namespace leadsweep {

Packs::Packs(const std::vector<std::int64_t>& shards) : packs_(shards.size()) {
    for (std::size_t pack = 0; pack < shards.size(); ++pack) {
        packs_[pack].shards = shards[pack];
        has_shards_ = has_shards_ || shards[pack] > 0;
    }
}

bool Packs::is_complete(PackIndex pack, NodeIndex node) const {
    if (is_everywhere(pack)) return true;
    const auto place = places_.find(key(pack, node));
    return place != places_.end() && place->second.missing.empty() && place->second.in_work == 0;
}

bool Packs::has_missing(PackIndex pack, NodeIndex node) const {
    if (is_everywhere(pack)) return false;
    const auto place = places_.find(key(pack, node));
    return place == places_.end() || !place->second.missing.empty();
}

std::int64_t Packs::shards_made(PackIndex pack, NodeIndex node) const {
    const auto place = places_.find(key(pack, node));
    if (place == places_.end()) return 0;
    return packs_[pack].shards - place->second.in_work - static_cast<std::int64_t>(place->second.missing.size());
}

std::int64_t Packs::take_shard(PackIndex pack, NodeIndex node) {
    const auto [entry, is_new] = places_.try_emplace(key(pack, node));
    Place& place = entry->second;
    if (is_new) {
        for (std::int64_t shard = 0; shard < packs_[pack].shards; ++shard) place.missing.push_back(shard);
        packs_[pack].begun.push_back(node);
    }
    const std::int64_t shard = place.missing.front();
    place.missing.pop_front();
    ++place.in_work;
    return shard;
}

void Packs::give_back(PackIndex pack, NodeIndex node, std::int64_t shard) {
    Place& place = places_.at(key(pack, node));
    --place.in_work;
    place.missing.push_back(shard);
}

void Packs::made(PackIndex pack, NodeIndex node, double seconds) {
    constexpr double kWeight = 0.1;
    shard_s_ += kWeight * (seconds - shard_s_);
    Place& place = places_.at(key(pack, node));
    --place.in_work;
    if (place.missing.empty() && place.in_work == 0) packs_[pack].complete.push_back(node);
}

void Packs::count_waiting(PackIndex pack, int jobs, double seconds) {
    Pack& known = packs_[pack];
    known.waiting += jobs;
    if (seconds > 0)
        known.waiting_s += jobs * seconds;
    else
        known.waiting_unknown += jobs;
}

bool Packs::is_worth_making(PackIndex pack, NodeIndex node, const Cluster& cluster) const {
    if (has_begun(pack, node)) return true;
    const Pack& wanted = packs_[pack];
    std::int64_t devices = 0;
    for (const NodeIndex other : wanted.begun) {
        if (!cluster.node(other).is_quarantined()) devices += cluster.node(other).device_count;
        if (devices >= wanted.waiting) return false;
    }
    if (devices == 0 || wanted.waiting_unknown > 0) return true;
    const double workers = std::max(1, cluster.node(node).live_workers);
    return wanted.waiting_s / static_cast<double>(devices) > static_cast<double>(wanted.shards) * shard_s_ / workers;
}

}  // namespace leadsweep

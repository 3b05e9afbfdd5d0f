#include "worker/dataset/sampler.hpp"

#include <utility>

#include "worker/dataset/counter_random.hpp"

namespace leadsweep {

Share share_of(std::int64_t count, std::int64_t rank, std::int64_t ranks) {
    return {count * rank / ranks, count * (rank + 1) / ranks};
}

std::int64_t batch_count(std::int64_t records, std::int64_t batch) {
    return (records + batch - 1) / batch;
}

std::int64_t batch_start(std::int64_t records, std::int64_t batch, std::int64_t i) {
    return records * i / batch_count(records, batch);
}

std::vector<std::int32_t> Sampler::epoch_order(std::int64_t epoch) const {
    std::vector<std::int32_t> order = indices_;
    CounterRandom random(seed_, static_cast<std::uint64_t>(epoch));
    for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[random.below(left)]);
    return order;
}

}  // namespace leadsweep

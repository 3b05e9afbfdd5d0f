#include "worker/dataset/sampler.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "worker/dataset/counter_random.hpp"

namespace leadsweep {

Share share_of(std::int64_t count, std::int64_t rank, std::int64_t ranks) {
    return {count * rank / ranks, count * (rank + 1) / ranks};
}

Sampler::Sampler(std::vector<std::int32_t> indices, std::int64_t batch, std::uint64_t seed)
    : indices_(std::move(indices)), batch_(batch), seed_(seed) {
    if (batch < 1) throw std::invalid_argument("sampler: the batch must be at least 1");
}

std::vector<std::int32_t> Sampler::epoch_order(std::int64_t epoch) const {
    std::vector<std::int32_t> order = indices_;
    CounterRandom random(seed_, static_cast<std::uint64_t>(epoch));
    for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[random.below(left)]);
    return order;
}

std::int64_t Sampler::steps_per_epoch() const {
    return (static_cast<std::int64_t>(indices_.size()) + batch_ - 1) / batch_;
}

std::int64_t Sampler::batch_records(std::int64_t step) const {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(indices_.size()) - step * batch_, 0, batch_);
}

std::span<const std::int32_t> Sampler::rank_share(std::span<const std::int32_t> order, std::int64_t step,
                                                  std::int64_t rank, std::int64_t ranks) const {
    const Share share = share_of(batch_records(step), rank, ranks);
    return order.subspan(static_cast<std::size_t>(step * batch_ + share.begin),
                         static_cast<std::size_t>(share.end - share.begin));
}

}  // namespace leadsweep

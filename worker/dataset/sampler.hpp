// The order in which records are trained on, and the share of each worker of a gang. Knows indices only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace leadsweep {

/// The part [begin, end) of `count` things that belongs to rank `rank` of `ranks`: contiguous, every thing to exactly
/// one rank, sizes differing by at most one.
struct Share {
    std::int64_t begin = 0;
    std::int64_t end = 0;
};
Share share_of(std::int64_t count, std::int64_t rank, std::int64_t ranks);

/// Orders records for training. The order of an epoch depends on (indices, seed, epoch) alone: training that resumes at
/// an epoch needs no stored state, and gangs of any size see the same global batches.
class Sampler {
public:
    /// `batch` is the global batch, over all workers of the gang. Throws std::invalid_argument for batch < 1.
    Sampler(std::vector<std::int32_t> indices, std::int64_t batch, std::uint64_t seed);

    /// Every index once (Fisher-Yates shuffle with CounterRandom).
    std::vector<std::int32_t> epoch_order(std::int64_t epoch) const;
    /// Global batches of an epoch; the last one may be short.
    std::int64_t steps_per_epoch() const;
    /// Records of global batch `step`.
    std::int64_t batch_records(std::int64_t step) const;
    /// What rank `rank` of `ranks` computes of global batch `step` of an epoch's order; may be empty in a short batch.
    std::span<const std::int32_t> rank_share(std::span<const std::int32_t> order, std::int64_t step, std::int64_t rank,
                                             std::int64_t ranks) const;

private:
    std::vector<std::int32_t> indices_;
    std::int64_t batch_;
    std::uint64_t seed_;
};

}  // namespace leadsweep

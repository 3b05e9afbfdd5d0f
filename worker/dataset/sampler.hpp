// The order in which records are trained on, and the share of each worker of a gang. Knows indices only.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace leadsweep {

/// The part [begin, end) of `count` things that belongs to rank `rank` of `ranks`: contiguous, every thing to exactly
/// one rank, sizes differing by at most one.
struct Share {
    std::int64_t begin = 0;
    std::int64_t end = 0;
};
Share share_of(std::int64_t count, std::int64_t rank, std::int64_t ranks);

/// Global batches of an epoch of `records` records, none larger than `batch` (>= 1), sizes differing by at most one.
std::int64_t batch_count(std::int64_t records, std::int64_t batch);
/// First record of batch i of an epoch; batch_start(n, batch, batch_count(n, batch)) == n.
std::int64_t batch_start(std::int64_t records, std::int64_t batch, std::int64_t i);

/// Orders records for training. The order of an epoch depends on (indices, seed, epoch) alone: training that resumes at
/// an epoch needs no stored state, and gangs of any size see the same global batches.
class Sampler {
public:
    Sampler(std::vector<std::int32_t> indices, std::uint64_t seed) : indices_(std::move(indices)), seed_(seed) {}

    /// Every index once (Fisher-Yates shuffle with CounterRandom).
    std::vector<std::int32_t> epoch_order(std::int64_t epoch) const;

private:
    std::vector<std::int32_t> indices_;
    std::uint64_t seed_;
};

}  // namespace leadsweep

// One order of records that depends on the seed and the records alone: every configuration draws the same ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace leadsweep {

/// The records, each at a place drawn for it by Philox from (seed, record): leaving one out moves no other.
std::vector<std::int32_t> in_seeded_order(std::span<const std::int32_t> records, std::int64_t seed);

}  // namespace leadsweep

#include "worker/explain/record_order.hpp"

#include <algorithm>
#include <utility>

#include <ATen/core/PhiloxRNGEngine.h>

namespace leadsweep {
namespace {

std::uint64_t place_in_order(std::int64_t seed, std::int32_t record) {
    at::philox_engine engine(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(record));
    const std::uint64_t high = engine();
    return (high << 32U) | engine();
}

}  // namespace

std::vector<std::int32_t> in_seeded_order(std::span<const std::int32_t> records, std::int64_t seed) {
    std::vector<std::pair<std::uint64_t, std::int32_t>> placed;
    for (const std::int32_t record : records) placed.emplace_back(place_in_order(seed, record), record);
    std::sort(placed.begin(), placed.end());
    std::vector<std::int32_t> ordered;
    for (const auto& [place, record] : placed) ordered.push_back(record);
    return ordered;
}

}  // namespace leadsweep

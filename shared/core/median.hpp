#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace leadsweep {

/// The upper one of two middle values. `values` must not be empty.
inline double median_of(std::span<const float> values) {
    std::vector<float> sorted(values.begin(), values.end());
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
}

}  // namespace leadsweep

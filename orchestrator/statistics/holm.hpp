// Many tests at once: Holm's step-down adjustment, which keeps the chance of any false finding below the level.
#pragma once

#include <span>
#include <vector>

namespace leadsweep {

/// Adjusted p values in the order given: sorted ascending, the i-th of m (from 0) times m - i, never below the one
/// before, at most 1 (Holm 1979; R's p.adjust).
std::vector<double> holm_adjusted(std::span<const double> p_values);

}  // namespace leadsweep

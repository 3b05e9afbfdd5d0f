// Figures that sum up the folds of one configuration. No tests between configurations here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace leadsweep {

struct Summary {
    std::int64_t n = 0;
    std::optional<double> mean;  ///< nothing without values
    std::optional<double> sd;    ///< divided by n - 1; nothing below two values
};

/// Mean and standard deviation of the sample, in two passes.
Summary summarize(std::span<const double> values);

}  // namespace leadsweep

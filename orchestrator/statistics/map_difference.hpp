// Do two configurations look at different leads? Maps of the same folds, compared cell by cell, with p values that hold
// for all cells at once.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "orchestrator/statistics/map_belief.hpp"

namespace leadsweep {

struct CellDifference {
    double mean = 0;  ///< of second - first over the folds
    /// Share of sign flips of whole folds whose largest |t| over all cells reaches this cell's (Westfall and Young
    /// 1993): the chance of any false finding among the cells is kept, whatever their dependence.
    double p = 1;
};

struct MapDifference {
    std::int64_t folds = 0;  ///< that both have
    std::int64_t flips = 0;  ///< all 2^folds up to kAllFlips, else that many drawn ones
    std::map<std::string, std::vector<CellDifference>> classes;  ///< those that both have in every fold
};

inline constexpr std::int64_t kAllFlips = 4096;

/// `first` and `second` belong together fold by fold and have one length. Fewer than three folds cannot make any p
/// small; the means are there all the same. A function of the arguments alone.
MapDifference compare_maps(std::span<const FoldMap> first, std::span<const FoldMap> second, std::uint64_t seed = 1);

}  // namespace leadsweep

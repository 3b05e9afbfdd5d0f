// Which configurations can be told from each other: paired tests over folds that were tested in both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/layout.hpp"
#include "orchestrator/statistics/paired.hpp"

namespace leadsweep {

/// Differences A - B over the folds tested in both.
struct Pairing {
    std::vector<double> differences;
    bool is_whole = false;  ///< every fold of either has its partner
};
Pairing pair_folds(const FoldValues& a, const FoldValues& b);

/// Tested / training records of a fold, over both configurations; nothing where the attempts do not say.
std::optional<double> common_ratio(const Group& a, const Group& b);

/// A configuration as a candidate for the best of its figure.
struct Candidate {
    std::size_t cell = 0;
    double mean = 0;   ///< of the stored values: what the table shows
    FoldValues folds;  ///< what is paired
    const Group* group = nullptr;
};

struct Leaders {
    std::vector<std::size_t> cells;  ///< the best, and all that cannot be told from it; empty where nothing was tested
    std::optional<std::size_t> best;
    std::int64_t tests = 0;     ///< the family of Holm's adjustment
    std::int64_t unpaired = 0;  ///< candidates that were tested on other folds: not compared
    /// Standard deviations of the paired differences, one a test; for what the tests could have found.
    std::vector<double> spreads;
    std::vector<double> ratios;
    std::int64_t folds = 0;  ///< pairs of the tests; the fewest of them
};

/// Tests every candidate against the one with the largest mean: corrected t-test, Holm over these tests, level 1 -
/// kConfidence.
Leaders find_leaders(const std::vector<Candidate>& candidates);

/// Differences that the tests find with probability kPower: "0.012 to 0.031 (median 0.020)"; "" without tests.
std::string detectable_range(const Leaders& leaders);
/// "Smallest detectable difference with 10 folds (power 0.8): 0.012 to 0.031 (median 0.020)." "" without tests.
std::string detectable_text(const Leaders& leaders);

}  // namespace leadsweep

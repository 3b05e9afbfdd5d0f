// A bootstrap of the difference between two configurations on the same tested records: patients are drawn with
// replacement within each fold, figures are computed fold by fold and averaged, as the tables do. It tells the spread
// due to the tested patients; that due to training again it cannot tell.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "orchestrator/statistics/paired.hpp"

namespace leadsweep {

/// The tested records of one fold under two configurations, A (the baseline) and B.
struct PairedFold {
    std::int64_t classes = 0;           ///< K
    std::vector<std::uint8_t> labels;   ///< [N, K] 0 or 1
    std::vector<float> scores_a;        ///< [N, K]; any strictly rising function of the probability
    std::vector<float> scores_b;        ///< [N, K]
    std::vector<std::int32_t> patient;  ///< [N], numbered from 0 within the fold
};

struct BootstrapDifference {
    double difference = 0;  ///< B - A on the records as they are
    Interval interval;      ///< percentiles of the replicates, at kConfidence
    std::int64_t replicates = 0;
    std::int64_t patients = 0;
    std::int64_t classes = 0;  ///< with positives and negatives in every fold: those that are averaged
};

/// Macro AUROC, B - A: mean over folds of the mean over classes with positives and negatives in every fold. A class
/// that a replicate leaves without either is left out of that replicate's mean of its fold. `replicates` >= 100;
/// the same seed gives the same numbers everywhere. Nothing without folds or such classes.
/// Throws std::invalid_argument where shapes do not fit.
std::optional<BootstrapDifference> bootstrap_auroc_difference(std::span<const PairedFold> folds,
                                                              std::int64_t replicates, std::uint64_t seed);

/// AUROC of records with weights (how often each was drawn): sorted once by `order` (ascending scores, ties told by
/// equal scores), then O(N). Nothing where positives or negatives have no weight.
std::optional<double> weighted_auroc(std::span<const std::uint8_t> labels, std::span<const float> scores,
                                     std::span<const std::int32_t> order, std::span<const std::int32_t> weights);

}  // namespace leadsweep

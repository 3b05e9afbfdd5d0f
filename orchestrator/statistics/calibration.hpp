// How far scores can be taken as probabilities, and what another threshold would do. Counts only: no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace leadsweep {

/// Decisions of one class by score, in equal bins of [0, 1]; folds are added one after another.
class ScoreHistogram {
public:
    static constexpr std::size_t kBins = 100;
    void add(float score, bool is_positive);
    std::int64_t positives() const { return positives_; }
    std::int64_t count(std::size_t bin) const { return positive_[bin] + negative_[bin]; }
    std::int64_t positives(std::size_t bin) const { return positive_[bin]; }
    double score_sum(std::size_t bin) const { return score_sum_[bin]; }

private:
    std::vector<std::int64_t> positive_ = std::vector<std::int64_t>(kBins, 0);
    std::vector<std::int64_t> negative_ = std::vector<std::int64_t>(kBins, 0);
    std::vector<double> score_sum_ = std::vector<double>(kBins, 0);
    std::int64_t positives_ = 0;
};

struct ReliabilityBin {
    double score = 0;     ///< mean
    double observed = 0;  ///< fraction of positives
    std::int64_t n = 0;
};
struct Calibration {
    std::vector<ReliabilityBin> bins;  ///< ten equal ones of [0, 1], those that are not empty
    double expected_error = 0;         ///< mean of |score - observed| over the bins, weighted by n
};
/// Over all decisions of all classes. Nothing without any.
std::optional<Calibration> calibration(std::span<const ScoreHistogram> classes);

struct ThresholdPoint {
    double threshold = 0;
    double f1 = 0;  ///< means over classes with positives; precision of no positive decision counts as 0
    double precision = 0;
    double recall = 0;
};
/// At 0.02, 0.04 ... 0.98; empty without classes that have positives.
std::vector<ThresholdPoint> threshold_curve(std::span<const ScoreHistogram> classes);

}  // namespace leadsweep

#include "orchestrator/statistics/calibration.hpp"

#include <algorithm>
#include <cmath>

namespace leadsweep {

void ScoreHistogram::add(float score, bool is_positive) {
    // A score on an edge belongs above it, as `score >= threshold` is positive.
    const double place = std::floor(static_cast<double>(score) * kBins + 1e-6);
    const auto bin = static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(kBins - 1)));
    ++(is_positive ? positive_ : negative_)[bin];
    score_sum_[bin] += score;
    if (is_positive) ++positives_;
}

std::optional<Calibration> calibration(std::span<const ScoreHistogram> classes) {
    constexpr std::size_t kWide = 10;
    Calibration result;
    std::int64_t total = 0;
    for (std::size_t wide = 0; wide < kWide; ++wide) {
        ReliabilityBin bin;
        double positives = 0;
        for (const ScoreHistogram& one : classes) {
            for (std::size_t b = wide * ScoreHistogram::kBins / kWide; b < (wide + 1) * ScoreHistogram::kBins / kWide;
                 ++b) {
                bin.n += one.count(b);
                bin.score += one.score_sum(b);
                positives += static_cast<double>(one.positives(b));
            }
        }
        if (bin.n == 0) continue;
        bin.score /= static_cast<double>(bin.n);
        bin.observed = positives / static_cast<double>(bin.n);
        result.expected_error += static_cast<double>(bin.n) * std::abs(bin.score - bin.observed);
        total += bin.n;
        result.bins.push_back(bin);
    }
    if (total == 0) return std::nullopt;
    result.expected_error /= static_cast<double>(total);
    return result;
}

std::vector<ThresholdPoint> threshold_curve(std::span<const ScoreHistogram> classes) {
    constexpr std::size_t kStep = 2;
    std::vector<ThresholdPoint> curve;
    const auto used = static_cast<double>(
        std::count_if(classes.begin(), classes.end(), [](const ScoreHistogram& h) { return h.positives() > 0; }));
    if (used == 0) return curve;
    for (std::size_t first = kStep; first < ScoreHistogram::kBins; first += kStep) {
        ThresholdPoint point;
        point.threshold = static_cast<double>(first) / ScoreHistogram::kBins;
        for (const ScoreHistogram& one : classes) {
            if (one.positives() == 0) continue;
            double decided = 0;
            double hits = 0;
            for (std::size_t b = first; b < ScoreHistogram::kBins; ++b) {
                decided += static_cast<double>(one.count(b));
                hits += static_cast<double>(one.positives(b));
            }
            const auto positives = static_cast<double>(one.positives());
            point.f1 += 2 * hits / (positives + decided) / used;
            point.precision += (decided > 0 ? hits / decided : 0) / used;
            point.recall += hits / positives / used;
        }
        curve.push_back(point);
    }
    return curve;
}

}  // namespace leadsweep

#include "shared/metrics/classification.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

namespace leadsweep {
namespace {

/// The distinct scores of positives from high to low, and how many positives have each.
struct DistinctPositives {
    DistinctPositives(std::span<const std::uint8_t> labels, std::span<const double> all_scores) {
        if (labels.size() != all_scores.size()) throw std::invalid_argument("labels and scores differ in length");
        std::vector<double> sorted;
        for (std::size_t i = 0; i < labels.size(); ++i)
            if (labels[i] != 0) sorted.push_back(all_scores[i]);
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        for (const double score : sorted) {
            if (scores.empty() || scores.back() != score) {
                scores.push_back(score);
                counts.push_back(0);
            }
            ++counts.back();
        }
    }
    std::vector<double> scores;
    std::vector<std::int64_t> counts;
};

struct Scored {
    double score;
    std::uint8_t label;
};

/// Records from the highest score to the lowest.
std::vector<Scored> ranked(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    if (labels.size() != scores.size()) throw std::invalid_argument("labels and scores differ in length");
    std::vector<Scored> records(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) records[i] = {scores[i], labels[i]};
    std::sort(records.begin(), records.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
    return records;
}

/// Calls visitor(true positives so far, false positives so far, score of the group, next lower score or the same at the
/// end) after each group of tied scores.
template <class Visitor>
void visit_tied_groups(const std::vector<Scored>& records, Visitor&& visitor) {
    std::int64_t true_positive = 0;
    std::int64_t false_positive = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        (records[i].label != 0 ? true_positive : false_positive) += 1;
        const bool is_last = i + 1 == records.size();
        if (!is_last && records[i + 1].score == records[i].score) continue;
        visitor(true_positive, false_positive, records[i].score, is_last ? records[i].score : records[i + 1].score);
    }
}

std::int64_t count_positives(std::span<const std::uint8_t> labels) {
    return std::count_if(labels.begin(), labels.end(), [](std::uint8_t label) { return label != 0; });
}

std::optional<double> ratio(std::int64_t numerator, std::int64_t denominator) {
    if (denominator == 0) return std::nullopt;
    return static_cast<double>(numerator) / static_cast<double>(denominator);
}

}  // namespace

// Positives are few: only they are sorted, and each negative finds its place among them.
RankingFigures ranking_figures(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    const DistinctPositives positives(labels, scores);
    const std::size_t levels = positives.scores.size();
    if (levels == 0) return {};
    std::vector<std::int64_t> above(levels + 1, 0);  // negatives between level j - 1 and level j
    std::vector<std::int64_t> tied(levels, 0);       // negatives at level j
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] != 0) continue;
        const auto place =
            std::lower_bound(positives.scores.begin(), positives.scores.end(), scores[i], std::greater<>());
        const auto level = static_cast<std::size_t>(place - positives.scores.begin());
        const bool is_tied = level < levels && *place == scores[i];
        (is_tied ? tied[level] : above[level]) += 1;
    }
    // Twice the number of (positive, negative) pairs in right order, ties counting one: exact in integers.
    std::int64_t doubled_wins = 0;
    std::int64_t tp = 0;
    std::int64_t fp = 0;
    double precision_sum = 0;
    for (std::size_t level = 0; level < levels; ++level) {
        const std::int64_t found = positives.counts[level];
        doubled_wins += 2 * tp * above[level] + (2 * tp + found) * tied[level];
        tp += found;
        fp += above[level] + tied[level];
        precision_sum += static_cast<double>(found) * (static_cast<double>(tp) / static_cast<double>(tp + fp));
    }
    doubled_wins += 2 * tp * above[levels];
    const std::int64_t negatives = static_cast<std::int64_t>(labels.size()) - tp;
    RankingFigures figures;
    if (negatives > 0) figures.auroc = static_cast<double>(doubled_wins) / static_cast<double>(2 * tp * negatives);
    figures.auprc = precision_sum / static_cast<double>(tp);
    return figures;
}

std::optional<double> auroc(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    return ranking_figures(labels, scores).auroc;
}

std::optional<double> auprc(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    return ranking_figures(labels, scores).auprc;
}

std::optional<double> Confusion::f1() const {
    return ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative);
}
std::optional<double> Confusion::precision() const {
    return ratio(true_positive, true_positive + false_positive);
}
std::optional<double> Confusion::recall() const {
    return ratio(true_positive, positives());
}
std::optional<double> Confusion::specificity() const {
    return ratio(true_negative, negatives());
}
std::optional<double> Confusion::accuracy() const {
    return ratio(true_positive + true_negative, positives() + negatives());
}

Confusion confusion(std::span<const std::uint8_t> labels, std::span<const std::uint8_t> decisions) {
    if (labels.size() != decisions.size()) throw std::invalid_argument("labels and decisions differ in length");
    Confusion counts;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const bool is_right = (labels[i] != 0) == (decisions[i] != 0);
        if (decisions[i] != 0)
            (is_right ? counts.true_positive : counts.false_positive) += 1;
        else
            (is_right ? counts.true_negative : counts.false_negative) += 1;
    }
    return counts;
}

BetaFigures beta_figures(std::span<const std::uint8_t> labels, std::span<const std::uint8_t> decisions,
                         std::span<const double> weights) {
    if (labels.size() != decisions.size() || labels.size() != weights.size())
        throw std::invalid_argument("labels, decisions and weights differ in length");
    constexpr double kBeta = 2;
    double tp = 0;
    double fp = 0;
    double fn = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] != 0)
            (decisions[i] != 0 ? tp : fn) += weights[i];
        else if (decisions[i] != 0)
            fp += weights[i];
    }
    BetaFigures figures;
    if (tp + fp + fn == 0) return figures;
    figures.f2 = (1 + kBeta * kBeta) * tp / ((1 + kBeta * kBeta) * tp + fp + kBeta * kBeta * fn);
    figures.g2 = tp / (tp + fp + kBeta * fn);
    return figures;
}

std::optional<double> brier_score(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    if (labels.size() != scores.size()) throw std::invalid_argument("labels and scores differ in length");
    if (labels.empty()) return std::nullopt;
    double sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const double error = scores[i] - (labels[i] != 0 ? 1.0 : 0.0);
        sum += error * error;
    }
    return sum / static_cast<double>(labels.size());
}

std::optional<double> calibration_error(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    if (labels.size() != scores.size()) throw std::invalid_argument("labels and scores differ in length");
    if (labels.empty()) return std::nullopt;
    constexpr std::size_t kBins = 15;
    std::array<double, kBins> gap{};  // sum of scores minus positives
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto bin = std::min(kBins - 1, static_cast<std::size_t>(scores[i] * kBins));
        gap[bin] += scores[i] - (labels[i] != 0 ? 1.0 : 0.0);
    }
    double sum = 0;
    for (const double one : gap) sum += std::abs(one);
    return sum / static_cast<double>(labels.size());
}

double best_f1_threshold(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    const std::int64_t positives = count_positives(labels);
    double threshold = 0.5;
    // F1 = 2TP / (positives + predicted): compared as fractions, so that equal ones are equal.
    std::int64_t best_tp = 0;
    std::int64_t best_sum = 1;
    visit_tied_groups(ranked(labels, scores), [&](std::int64_t tp, std::int64_t fp, double score, double next) {
        const std::int64_t sum = positives + tp + fp;
        if (tp * best_sum <= best_tp * sum) return;
        best_tp = tp;
        best_sum = sum;
        const double middle = next + (score - next) / 2;
        threshold = middle > next ? middle : score;
    });
    return threshold;
}

}  // namespace leadsweep

#include "shared/metrics/classification.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace leadsweep {
namespace {

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

RankingFigures ranking_figures(std::span<const std::uint8_t> labels, std::span<const double> scores) {
    const std::int64_t positives = count_positives(labels);
    const std::int64_t negatives = static_cast<std::int64_t>(labels.size()) - positives;
    if (positives == 0) return {};
    // Twice the number of (positive, negative) pairs in right order, ties counting one: exact in integers.
    std::int64_t doubled_wins = 0;
    double precision_sum = 0;
    std::int64_t before_tp = 0;
    std::int64_t before_fp = 0;
    visit_tied_groups(ranked(labels, scores), [&](std::int64_t tp, std::int64_t fp, double, double) {
        doubled_wins += (fp - before_fp) * (tp + before_tp);
        precision_sum += static_cast<double>(tp - before_tp) * (static_cast<double>(tp) / static_cast<double>(tp + fp));
        before_tp = tp;
        before_fp = fp;
    });
    RankingFigures figures;
    if (negatives > 0)
        figures.auroc = static_cast<double>(doubled_wins) / static_cast<double>(2 * positives * negatives);
    figures.auprc = precision_sum / static_cast<double>(positives);
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

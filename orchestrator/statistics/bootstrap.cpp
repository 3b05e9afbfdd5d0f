#include "orchestrator/statistics/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>

namespace leadsweep {
namespace {

/// One class of one fold under one configuration, ready for many weightings.
struct Ranked {
    std::vector<std::uint8_t> labels;
    std::vector<float> scores;
    std::vector<std::int32_t> order;
};

Ranked rank_class(const PairedFold& fold, const std::vector<float>& scores, std::int64_t k) {
    Ranked ranked;
    const auto width = static_cast<std::size_t>(fold.classes);
    const std::size_t records = fold.patient.size();
    for (std::size_t n = 0; n < records; ++n) {
        ranked.labels.push_back(fold.labels[n * width + static_cast<std::size_t>(k)]);
        ranked.scores.push_back(scores[n * width + static_cast<std::size_t>(k)]);
    }
    ranked.order.resize(records);
    std::iota(ranked.order.begin(), ranked.order.end(), 0);
    std::stable_sort(ranked.order.begin(), ranked.order.end(), [&](std::int32_t a, std::int32_t b) {
        return ranked.scores[static_cast<std::size_t>(a)] < ranked.scores[static_cast<std::size_t>(b)];
    });
    return ranked;
}

struct RankedFold {
    std::int32_t patients = 0;
    std::vector<std::int32_t> patient;
    std::vector<Ranked> a;
    std::vector<Ranked> b;
};

void check_shapes(const PairedFold& fold) {
    const std::size_t cells = fold.patient.size() * static_cast<std::size_t>(fold.classes);
    if (fold.labels.size() != cells || fold.scores_a.size() != cells || fold.scores_b.size() != cells)
        throw std::invalid_argument("labels and scores of a fold must be [records, classes]");
}

/// Classes with positives and negatives in every fold.
std::vector<std::int64_t> usable_classes(std::span<const PairedFold> folds) {
    std::vector<std::int64_t> usable;
    for (std::int64_t k = 0; k < folds.front().classes; ++k) {
        const bool everywhere = std::all_of(folds.begin(), folds.end(), [&](const PairedFold& fold) {
            std::size_t positives = 0;
            for (std::size_t n = 0; n < fold.patient.size(); ++n)
                positives += fold.labels[n * static_cast<std::size_t>(fold.classes) + static_cast<std::size_t>(k)];
            return positives > 0 && positives < fold.patient.size();
        });
        if (everywhere) usable.push_back(k);
    }
    return usable;
}

/// Mean over classes of AUROC B - AUROC A; nothing where no class has both.
std::optional<double> difference_of(const RankedFold& fold, std::span<const std::int32_t> weights) {
    double sum = 0;
    std::int64_t count = 0;
    for (std::size_t k = 0; k < fold.a.size(); ++k) {
        const auto a = weighted_auroc(fold.a[k].labels, fold.a[k].scores, fold.a[k].order, weights);
        const auto b = weighted_auroc(fold.b[k].labels, fold.b[k].scores, fold.b[k].order, weights);
        if (!a || !b) continue;
        sum += *b - *a;
        ++count;
    }
    if (count == 0) return std::nullopt;
    return sum / static_cast<double>(count);
}

std::vector<RankedFold> rank_folds(std::span<const PairedFold> folds, const std::vector<std::int64_t>& classes) {
    std::vector<RankedFold> ranked;
    for (const PairedFold& fold : folds) {
        RankedFold& one = ranked.emplace_back();
        one.patient = fold.patient;
        one.patients = fold.patient.empty() ? 0 : *std::max_element(fold.patient.begin(), fold.patient.end()) + 1;
        for (const std::int64_t k : classes) {
            one.a.push_back(rank_class(fold, fold.scores_a, k));
            one.b.push_back(rank_class(fold, fold.scores_b, k));
        }
    }
    return ranked;
}

/// Below `limit`, without the implementation-defined std::uniform_int_distribution (Lemire 2019).
std::int32_t draw_below(std::mt19937_64& generator, std::int32_t limit) {
    const auto wide = static_cast<unsigned __int128>(generator()) * static_cast<std::uint64_t>(limit);
    return static_cast<std::int32_t>(static_cast<std::uint64_t>(wide >> 64));
}

double replicate(const std::vector<RankedFold>& folds, std::mt19937_64& generator) {
    double sum = 0;
    std::int64_t count = 0;
    for (const RankedFold& fold : folds) {
        std::vector<std::int32_t> drawn(static_cast<std::size_t>(fold.patients), 0);
        for (std::int32_t i = 0; i < fold.patients; ++i)
            ++drawn[static_cast<std::size_t>(draw_below(generator, fold.patients))];
        std::vector<std::int32_t> weights;
        weights.reserve(fold.patient.size());
        for (const std::int32_t patient : fold.patient) weights.push_back(drawn[static_cast<std::size_t>(patient)]);
        if (const auto difference = difference_of(fold, weights)) {
            sum += *difference;
            ++count;
        }
    }
    return count > 0 ? sum / static_cast<double>(count) : 0;
}

/// Linear interpolation between order statistics (R's type 7, NumPy's default); `sorted` is not empty.
double percentile(const std::vector<double>& sorted, double p) {
    const double place = p * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

std::optional<double> weighted_auroc(std::span<const std::uint8_t> labels, std::span<const float> scores,
                                     std::span<const std::int32_t> order, std::span<const std::int32_t> weights) {
    double wins = 0;
    double negatives_below = 0;
    double positives = 0;
    for (std::size_t begin = 0; begin < order.size();) {
        double tied_positives = 0;
        double tied_negatives = 0;
        const float score = scores[static_cast<std::size_t>(order[begin])];
        std::size_t end = begin;
        for (; end < order.size() && scores[static_cast<std::size_t>(order[end])] == score; ++end) {
            const auto n = static_cast<std::size_t>(order[end]);
            (labels[n] != 0 ? tied_positives : tied_negatives) += weights[n];
        }
        wins += tied_positives * (negatives_below + tied_negatives / 2);
        negatives_below += tied_negatives;
        positives += tied_positives;
        begin = end;
    }
    if (positives == 0 || negatives_below == 0) return std::nullopt;
    return wins / (positives * negatives_below);
}

std::optional<BootstrapDifference> bootstrap_auroc_difference(std::span<const PairedFold> folds,
                                                              std::int64_t replicates, std::uint64_t seed) {
    if (folds.empty()) return std::nullopt;
    for (const PairedFold& fold : folds) {
        check_shapes(fold);
        if (fold.classes != folds.front().classes) throw std::invalid_argument("folds differ in their classes");
    }
    const auto classes = usable_classes(folds);
    if (classes.empty()) return std::nullopt;
    const std::vector<RankedFold> ranked = rank_folds(folds, classes);
    BootstrapDifference result;
    result.replicates = std::max<std::int64_t>(replicates, 100);
    result.classes = static_cast<std::int64_t>(classes.size());
    for (const RankedFold& fold : ranked) {
        const std::vector<std::int32_t> once(fold.patient.size(), 1);
        result.difference += difference_of(fold, once).value_or(0) / static_cast<double>(ranked.size());
        result.patients += fold.patients;
    }
    std::mt19937_64 generator(seed);
    std::vector<double> values;
    for (std::int64_t i = 0; i < result.replicates; ++i) values.push_back(replicate(ranked, generator));
    std::sort(values.begin(), values.end());
    result.interval = {percentile(values, (1 - kConfidence) / 2), percentile(values, (1 + kConfidence) / 2)};
    return result;
}

}  // namespace leadsweep

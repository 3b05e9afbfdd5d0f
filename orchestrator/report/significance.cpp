#include "orchestrator/report/significance.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/statistics/holm.hpp"
#include "orchestrator/statistics/summary.hpp"

namespace leadsweep {

Pairing pair_folds(const FoldValues& a, const FoldValues& b) {
    Pairing pairing;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < a.size() && j < b.size()) {
        if (a[i].first < b[j].first) {
            ++i;
        } else if (a[i].first > b[j].first) {
            ++j;
        } else {
            pairing.differences.push_back(a[i++].second - b[j++].second);
        }
    }
    pairing.is_whole = pairing.differences.size() == a.size() && a.size() == b.size();
    return pairing;
}

std::optional<double> common_ratio(const Group& a, const Group& b) {
    if (a.n_train <= 0 || b.n_train <= 0 || a.n_test + b.n_test <= 0) return std::nullopt;
    return static_cast<double>(a.n_test + b.n_test) / static_cast<double>(a.n_train + b.n_train);
}

Leaders find_leaders(const std::vector<Candidate>& candidates) {
    Leaders leaders;
    if (candidates.size() < 2) return leaders;
    const auto best = std::max_element(candidates.begin(), candidates.end(),
                                       [](const Candidate& a, const Candidate& b) { return a.mean < b.mean; });
    std::vector<double> p_values;
    std::vector<std::size_t> tested;
    std::vector<std::size_t> same;
    for (const Candidate& other : candidates) {
        if (&other == &*best) continue;
        const Pairing pairing = pair_folds(best->folds, other.folds);
        if (!pairing.is_whole) {
            ++leaders.unpaired;
            continue;
        }
        const auto ratio = common_ratio(*best->group, *other.group);
        const auto test = ratio ? corrected_t_test(pairing.differences, *ratio) : std::nullopt;
        if (!test) continue;
        ++leaders.tests;
        leaders.folds = leaders.folds == 0 ? test->n : std::min(leaders.folds, test->n);
        leaders.spreads.push_back(test->sd);
        leaders.ratios.push_back(*ratio);
        if (!test->p) continue;  // the same difference in every fold: told apart
        p_values.push_back(*test->p);
        tested.push_back(other.cell);
    }
    if (leaders.tests == 0) return leaders;
    leaders.best = best->cell;
    leaders.cells.push_back(best->cell);
    const auto adjusted = holm_adjusted(p_values);
    for (std::size_t i = 0; i < adjusted.size(); ++i)
        if (adjusted[i] > 1 - kConfidence) leaders.cells.push_back(tested[i]);
    return leaders;
}

std::string detectable_range(const Leaders& leaders) {
    if (leaders.tests == 0) return "";
    std::vector<double> found;
    const double effect = detectable_effect(leaders.folds);
    for (std::size_t i = 0; i < leaders.spreads.size(); ++i)
        found.push_back(effect * corrected_error(leaders.spreads[i], leaders.folds, leaders.ratios[i]));
    std::sort(found.begin(), found.end());
    std::string range = fmt::format("{:.3f}", found.front());
    if (const std::string highest = fmt::format("{:.3f}", found.back()); highest != range)
        range += fmt::format(" to {} (median {:.3f})", highest, found[found.size() / 2]);
    return range;
}

std::string detectable_text(const Leaders& leaders) {
    if (leaders.tests == 0) return "";
    return fmt::format("Smallest detectable difference with {} folds (power {:.1f}): {}.", leaders.folds, kPower,
                       detectable_range(leaders));
}

}  // namespace leadsweep

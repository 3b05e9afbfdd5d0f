#include "orchestrator/statistics/map_belief.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "orchestrator/statistics/holm.hpp"

namespace leadsweep {
namespace {

/// Mean ranks of ties, from 1.
std::vector<double> ranks_of(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin + 1;
        while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
        for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
        begin = end;
    }
    return ranks;
}

/// Ranks brought to mean 0 and length 1, so that a correlation is a sum of products; empty where flat.
std::vector<double> standard_ranks(std::span<const double> values) {
    auto ranks = ranks_of(values);
    const double mean = static_cast<double>(values.size() + 1) / 2;
    double squares = 0;
    for (double& rank : ranks) {
        rank -= mean;
        squares += rank * rank;
    }
    if (squares <= 0) return {};
    for (double& rank : ranks) rank /= std::sqrt(squares);
    return ranks;
}

double product(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// The maps of one fold, each less the mean over the fold's classes, as standard ranks.
struct CentredFold {
    std::vector<std::size_t> classes;           ///< index of each map's class, ascending
    std::vector<std::vector<double>> of_class;  ///< standard ranks; empty where flat
};

CentredFold centred(const FoldMap& fold, const std::vector<std::string>& names) {
    CentredFold made;
    if (fold.empty()) return made;
    std::vector<double> mean(fold.begin()->second.size(), 0);
    for (const auto& [name, values] : fold)
        for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += values[i] / static_cast<double>(fold.size());
    for (const auto& [name, values] : fold) {
        made.classes.push_back(
            static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), name) - names.begin()));
        std::vector<double> difference(values);
        for (std::size_t i = 0; i < mean.size(); ++i) difference[i] -= mean[i];
        made.of_class.push_back(fold.size() < 2 ? std::vector<double>() : standard_ranks(difference));
    }
    return made;
}

/// Stability of every class, where the map at place i of fold f is the one that `places[f][i]` names.
std::vector<std::optional<double>> stabilities(const std::vector<CentredFold>& folds,
                                               const std::vector<std::vector<std::size_t>>& places,
                                               std::size_t classes) {
    std::vector<std::vector<const std::vector<double>*>> maps(classes);
    for (std::size_t f = 0; f < folds.size(); ++f)
        for (std::size_t i = 0; i < folds[f].classes.size(); ++i)
            maps[folds[f].classes[i]].push_back(&folds[f].of_class[places[f][i]]);
    std::vector<std::optional<double>> found(classes);
    for (std::size_t k = 0; k < classes; ++k) {
        double sum = 0;
        std::int64_t pairs = 0;
        for (std::size_t a = 0; a < maps[k].size(); ++a)
            for (std::size_t b = a + 1; b < maps[k].size(); ++b) {
                if (maps[k][a]->empty() || maps[k][b]->empty()) continue;
                sum += product(*maps[k][a], *maps[k][b]);
                ++pairs;
            }
        if (pairs > 0) found[k] = sum / static_cast<double>(pairs);
    }
    return found;
}

/// Standard ranks of a class's map in a fold; nullptr where it has none.
const std::vector<double>* map_of(const CentredFold& fold, std::size_t k) {
    const auto found = std::lower_bound(fold.classes.begin(), fold.classes.end(), k);
    if (found == fold.classes.end() || *found != k) return nullptr;
    const auto& map = fold.of_class[static_cast<std::size_t>(found - fold.classes.begin())];
    return map.empty() ? nullptr : &map;
}

/// Mean correlation of a class's map in `one` with those in `folds`.
std::optional<double> similarity(const CentredFold& one, const std::vector<CentredFold>& folds, std::size_t k) {
    const auto* map = map_of(one, k);
    double sum = 0;
    std::int64_t count = 0;
    for (const CentredFold& fold : folds) {
        const auto* other = map_of(fold, k);
        if (map == nullptr || other == nullptr) continue;
        sum += product(*map, *other);
        ++count;
    }
    if (count == 0) return std::nullopt;
    return sum / static_cast<double>(count);
}

/// Over the classes that have a p value.
void adjust(std::map<std::string, MapBelief>& beliefs) {
    std::vector<MapBelief*> tested;
    std::vector<double> p_values;
    for (auto& [name, belief] : beliefs) {
        if (!belief.p) continue;
        tested.push_back(&belief);
        p_values.push_back(*belief.p);
    }
    const auto adjusted = holm_adjusted(p_values);
    for (std::size_t i = 0; i < tested.size(); ++i) tested[i]->p_adjusted = adjusted[i];
}

}  // namespace

std::optional<double> spearman(std::span<const double> a, std::span<const double> b) {
    const auto of_a = standard_ranks(a);
    const auto of_b = standard_ranks(b);
    if (of_a.empty() || of_b.empty()) return std::nullopt;
    return product(of_a, of_b);
}

std::map<std::string, MapBelief> believe(std::span<const FoldMap> folds, std::uint64_t seed, std::int64_t draws) {
    std::map<std::string, MapBelief> beliefs;
    for (const FoldMap& fold : folds)
        for (const auto& [name, values] : fold) ++beliefs[name].folds;
    std::vector<std::string> names;
    for (const auto& [name, belief] : beliefs) names.push_back(name);
    std::vector<CentredFold> centred_folds;
    std::vector<std::vector<std::size_t>> places;
    for (const FoldMap& fold : folds) {
        centred_folds.push_back(centred(fold, names));
        places.emplace_back(fold.size());
        std::iota(places.back().begin(), places.back().end(), std::size_t{0});
    }
    const auto observed = stabilities(centred_folds, places, names.size());
    std::vector<std::int64_t> as_stable(names.size(), 0);
    std::mt19937_64 random(seed);
    for (std::int64_t draw = 0; draw < draws; ++draw) {
        for (auto& of_fold : places)
            for (std::size_t i = of_fold.size(); i > 1; --i) std::swap(of_fold[i - 1], of_fold[random() % i]);
        const auto drawn = stabilities(centred_folds, places, names.size());
        for (std::size_t k = 0; k < names.size(); ++k)
            if (!drawn[k] || (observed[k] && *drawn[k] >= *observed[k] - 1e-12)) ++as_stable[k];
    }
    for (std::size_t k = 0; k < names.size(); ++k) {
        beliefs[names[k]].stability = observed[k];
        if (observed[k] && draws > 0)
            beliefs[names[k]].p = static_cast<double>(1 + as_stable[k]) / static_cast<double>(1 + draws);
    }
    adjust(beliefs);
    return beliefs;
}

std::map<std::string, RandomComparison> compare_with_random(std::span<const FoldMap> folds,
                                                            std::span<const FoldMap> random_models) {
    const auto beliefs = believe(folds, 1, 0);
    std::vector<std::string> names;
    for (const auto& [name, belief] : beliefs) names.push_back(name);
    std::vector<CentredFold> centred_folds;
    for (const FoldMap& fold : folds) centred_folds.push_back(centred(fold, names));
    std::map<std::string, std::vector<double>> similarities;
    for (const FoldMap& model : random_models) {
        FoldMap known = model;
        std::erase_if(known, [&](const auto& entry) { return !beliefs.contains(entry.first); });
        const CentredFold one = centred(known, names);
        for (std::size_t k = 0; k < names.size(); ++k)
            if (const auto found = similarity(one, centred_folds, k)) similarities[names[k]].push_back(*found);
    }
    std::map<std::string, RandomComparison> compared;
    for (const auto& [name, values] : similarities) {
        const auto& stability = beliefs.at(name).stability;
        if (!stability) continue;
        const auto models = static_cast<std::int64_t>(values.size());
        const auto as_close =
            std::count_if(values.begin(), values.end(), [&](double value) { return value >= *stability - 1e-12; });
        compared[name] = {models, *stability,
                          std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(models),
                          *std::max_element(values.begin(), values.end()),
                          static_cast<double>(1 + as_close) / static_cast<double>(1 + models)};
    }
    return compared;
}

}  // namespace leadsweep

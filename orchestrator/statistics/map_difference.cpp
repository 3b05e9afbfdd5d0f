#include "orchestrator/statistics/map_difference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

namespace leadsweep {
namespace {

/// Classes that every map has.
std::set<std::string> common_classes(std::span<const FoldMap> first, std::span<const FoldMap> second) {
    std::set<std::string> common;
    if (first.empty()) return common;
    for (const auto& [code, values] : first.front()) common.insert(code);
    for (const auto maps : {first, second})
        for (const FoldMap& fold : maps)
            std::erase_if(common, [&](const std::string& code) { return !fold.contains(code); });
    return common;
}

/// |t| of the mean of differences [F] whose signs are those of `flip`; infinite where they are all the same and not 0.
double t_of(const std::vector<double>& differences, std::uint64_t flip) {
    const auto n = static_cast<double>(differences.size());
    double sum = 0;
    double squares = 0;
    for (std::size_t f = 0; f < differences.size(); ++f) {
        const double value = (flip >> f & 1U) != 0 ? -differences[f] : differences[f];
        sum += value;
        squares += value * value;
    }
    if (sum == 0) return 0;
    const double deviations = squares - sum * sum / n;
    // Rounding leaves nothing that could be told from no spread at all.
    if (deviations <= 1e-14 * squares || n < 2) return std::numeric_limits<double>::infinity();
    return std::abs(sum / n) / std::sqrt(deviations / (n - 1) / n);
}

double largest_t(const std::vector<std::vector<double>>& cells, std::uint64_t flip) {
    double largest = 0;
    for (const auto& differences : cells) largest = std::max(largest, t_of(differences, flip));
    return largest;
}

}  // namespace

MapDifference compare_maps(std::span<const FoldMap> first, std::span<const FoldMap> second, std::uint64_t seed) {
    MapDifference difference;
    const std::size_t folds = first.size();
    difference.folds = static_cast<std::int64_t>(folds);
    const auto classes = common_classes(first, second);
    std::vector<std::vector<double>> cells;
    for (const std::string& code : classes)
        for (std::size_t lead = 0; lead < first.front().at(code).size(); ++lead) {
            auto& differences = cells.emplace_back();
            for (std::size_t f = 0; f < folds; ++f)
                differences.push_back(second[f].at(code)[lead] - first[f].at(code)[lead]);
        }
    if (cells.empty()) return difference;
    const bool takes_all = folds < 63 && (std::int64_t{1} << folds) <= kAllFlips;
    difference.flips = takes_all ? std::int64_t{1} << folds : kAllFlips;
    std::mt19937_64 random(seed);
    std::vector<double> largest;
    for (std::int64_t i = 0; i < difference.flips; ++i)  // the first flips nothing: the maps as they are
        largest.push_back(largest_t(cells, i == 0 ? 0 : takes_all ? static_cast<std::uint64_t>(i) : random()));
    std::sort(largest.begin(), largest.end());
    std::size_t cell = 0;
    for (const std::string& code : classes)
        for (std::size_t lead = 0; lead < first.front().at(code).size(); ++lead, ++cell) {
            double sum = 0;
            for (const double value : cells[cell]) sum += value;
            const double t = t_of(cells[cell], 0);
            const auto reached = largest.end() - std::lower_bound(largest.begin(), largest.end(), t * (1 - 1e-9));
            difference.classes[code].push_back(
                {sum / static_cast<double>(folds), static_cast<double>(reached) / static_cast<double>(largest.size())});
        }
    return difference;
}

}  // namespace leadsweep

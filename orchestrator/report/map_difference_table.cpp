#include "orchestrator/report/map_difference_table.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/class_names.hpp"
#include "orchestrator/report/map_pool.hpp"
#include "orchestrator/statistics/map_difference.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr double kLevel = 0.05;

std::string shown(const std::vector<std::pair<std::string, std::string>>& where) {
    std::vector<std::string> conditions;
    for (const auto& [key, value] : where) conditions.push_back(key + "=" + value);
    return conditions.empty() ? "all" : fmt::format("{}", fmt::join(conditions, ", "));
}

struct Side {
    MapPool pool;
    std::map<std::pair<std::string, std::string>, const FoldMap*> maps;  ///< by fold and seed
};

Side side_of(const ReadStore& store, const JobFilter& filter) {
    const Selection selection = select_jobs(store, filter);
    Side side{pool_jobs(store, selection), {}};
    for (std::size_t i = 0; i < side.pool.folds.size(); ++i) {
        const SelectedJob& job = selection.jobs[side.pool.job_of_fold[i]];
        const auto place = std::pair(job.fold, selection.setting(job, "seed"));
        if (!side.maps.emplace(place, &side.pool.folds[i]).second)
            throw InputError(
                fmt::format("fold {}, seed {} has several jobs with {}: they differ in {}; choose one with "
                            "--where key=value",
                            place.first, place.second, shown(filter.where), fmt::join(selection.varying_keys(), ", ")));
    }
    return side;
}

JobFilter replaced(const JobFilter& filter, const std::vector<std::pair<std::string, std::string>>& against) {
    JobFilter other = filter;
    std::erase_if(other.where, [&](const auto& condition) {
        return std::any_of(against.begin(), against.end(),
                           [&](const auto& one) { return one.first == condition.first; });
    });
    other.where.insert(other.where.end(), against.begin(), against.end());
    return other;
}

/// Names of the leads in the order of a FoldMap: alphabetical.
std::vector<std::string> alphabetical(std::vector<std::string> leads) {
    std::sort(leads.begin(), leads.end());
    return leads;
}

Table table_of(const MapDifference& difference, const std::vector<std::string>& leads,
               const ClassNames& names, const MapRequest& request) {
    Table table;
    table.columns.push_back({"class", Alignment::kLeft});
    for (const std::string& lead : leads) table.columns.push_back({lead, Alignment::kRight, {"mean", "p"}});
    const auto order = alphabetical(leads);
    double largest = 0;
    for (const auto& [code, cells] : difference.classes)
        for (const auto& cell : cells) largest = std::max(largest, std::abs(cell.mean));
    for (const auto& [code, cells] : difference.classes) {
        const std::string& name = names.of(code);
        if (!is_wanted(request, code, name)) continue;
        auto& row = table.rows.emplace_back();
        row.push_back(cell_of(name));
        for (const std::string& lead : leads) {
            const auto at =
                static_cast<std::size_t>(std::lower_bound(order.begin(), order.end(), lead) - order.begin());
            Cell cell{fmt::format("{:+.{}f}", cells[at].mean, decimals_for(largest)), {cells[at].mean, cells[at].p}};
            cell.is_best = cells[at].p < kLevel;
            row.push_back(std::move(cell));
        }
    }
    return table;
}

}  // namespace

Table map_difference_table(const ReadStore& store, const MapRequest& request,
                           const std::vector<std::pair<std::string, std::string>>& against) {
    const JobFilter other = replaced(request.filter, against);
    const Side first = side_of(store, request.filter);
    const Side second = side_of(store, other);
    std::vector<FoldMap> firsts;
    std::vector<FoldMap> seconds;
    for (const auto& [place, map] : first.maps)
        if (const auto found = second.maps.find(place); found != second.maps.end()) {
            firsts.push_back(*map);
            seconds.push_back(*found->second);
        }
    if (firsts.empty())
        throw InputError(fmt::format("no fold and seed is finished with {} as well as with {}",
                                     shown(request.filter.where), shown(other.where)));
    const MapDifference difference = compare_maps(firsts, seconds);
    if (difference.classes.empty() || difference.classes.begin()->second.size() != first.pool.leads.size() ||
        first.pool.leads != second.pool.leads)
        throw InputError("the two maps have no class in every fold, or not the same leads: they cannot be compared");
    Table table = table_of(difference, first.pool.leads, ClassNames(store), request);
    table.caption = fmt::format("Importance with {} less that with {}; mean over {} pairs of the same fold and seed",
                                shown(other.where), shown(request.filter.where), difference.folds);
    table.notes.push_back(
        fmt::format("*: p < {} for all classes and leads at once (largest |t| over {} sign flips of whole folds).",
                    kLevel, difference.flips));
    if (difference.folds < 6)
        table.notes.push_back(fmt::format("{} pairs cannot make any p smaller than {:.3f}.", difference.folds,
                                          std::min(1.0, 2.0 / static_cast<double>(difference.flips))));
    return table;
}

}  // namespace leadsweep

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/comparison_parts.hpp"
#include "orchestrator/statistics/summary.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// Tested positives of a class, each tested fold counted once.
std::int64_t positives_of(const ClassFigures& one, const Selection& selection) {
    std::set<std::size_t> counted;
    std::int64_t sum = 0;
    for (const SelectedJob& job : selection.jobs) {
        const auto found = one.positives.find(job.attempt_id);
        if (found != one.positives.end() && counted.insert(job.tested_fold).second) sum += found->second;
    }
    return sum;
}

/// Cells whose every fold has tested positives: what may be compared.
std::vector<Candidate> candidates_of(const std::vector<ShownMean>& cells) {
    std::vector<Candidate> candidates;
    for (std::size_t cell = 0; cell < cells.size(); ++cell) {
        const ShownMean& mean = cells[cell];
        if (mean.group->jobs == 0 || mean.with_value < mean.group->jobs || mean.group->is_leaky) continue;
        candidates.push_back({cell, *summarize(values_of(mean.folds)).mean, mean.folds, mean.group});
    }
    return candidates;
}

}  // namespace

Table class_table(const Figures& figures, const TableRequest& request, const Selection& selection,
                  const Layout& layout) {
    const std::vector<Group> groups = groups_of(selection, layout);
    const std::string usual = usual_device(selection);
    Table table;
    table.caption =
        fmt::format("{} by class, {} over the tested folds; sweep {}.", fmt::join(request.metrics, ", "),
                    request.spread == Spread::kSd ? "mean ± sd" : "mean [corrected 95 % interval]", selection.sweep);
    table.columns = {{"class"}, {"code"}, {"positives", Alignment::kRight}};
    bool has_gaps = false;
    std::int64_t tests = 0;
    for (const auto& metric : request.metrics) {
        const auto classes = figures.of_classes(metric, selection);
        const bool is_first = table.rows.empty();
        for (std::size_t cell = 0; cell < layout.cell_count(); ++cell) {
            if (groups[cell].jobs == 0) continue;
            const std::string label = layout.label(cell, false);
            table.columns.push_back(
                {request.metrics.size() > 1 ? metric + ", " + label : label, Alignment::kRight, mean_parts()});
        }
        for (std::size_t k = 0; k < classes.size(); ++k) {
            if (is_first)
                table.rows.push_back({cell_of(classes[k].abbreviation), cell_of(classes[k].code),
                                      cell_of(positives_of(classes[k], selection))});
            if (k >= table.rows.size()) break;
            std::vector<ShownMean> cells;
            for (const Group& group : groups) cells.push_back(shown_mean(selection, group, classes[k].values, usual));
            const Leaders leaders = find_leaders(candidates_of(cells));
            tests = std::max(tests, leaders.tests);
            for (std::size_t cell = 0; cell < cells.size(); ++cell) {
                if (cells[cell].group->jobs == 0) continue;
                has_gaps = has_gaps || cells[cell].with_value < cells[cell].group->jobs;
                Cell shown = cell_of(cells[cell], request.spread);
                shown.is_best = std::find(leaders.cells.begin(), leaders.cells.end(), cell) != leaders.cells.end();
                table.rows[k].push_back(std::move(shown));
            }
        }
    }
    if (request.sort == "positives")
        std::stable_sort(table.rows.begin(), table.rows.end(), [](const auto& a, const auto& b) {
            return std::get<std::int64_t>(a[2].values[0]) > std::get<std::int64_t>(b[2].values[0]);
        });
    else if (request.sort == "class")
        std::stable_sort(table.rows.begin(), table.rows.end(),
                         [](const auto& a, const auto& b) { return a[0].text < b[0].text; });
    else if (!request.sort.empty())
        throw InputError(fmt::format("cannot sort classes by '{}': by positives or by class", request.sort));
    if (tests > 0)
        table.notes.push_back(fmt::format(
            "Marked in each row: the best, and all that cannot be told from it (corrected paired t-test, Holm over the "
            "{} tests of a class, level {:.2f}); only where every compared fold has tested positives of the class.",
            tests, 1 - kConfidence));
    add_group_notes(selection, layout, groups, has_gaps, table);
    return table;
}

}  // namespace leadsweep

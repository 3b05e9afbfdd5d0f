#include "orchestrator/report/verdict.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/comparison_parts.hpp"
#include "orchestrator/statistics/summary.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kMostNamed = 5;

std::string name_of(const Layout& layout, std::size_t cell) {
    const std::string label = layout.label(cell, true);
    return label.empty() ? "the only configuration" : label;
}

}  // namespace

Verdict judge(const Figures& figures, const Selection& selection, const std::vector<Group>& groups,
              const std::string& metric) {
    const Figure figure = figure_from(figures.store(), metric);
    const FigureValues& values = figures.values(figure);
    const PairedFigure paired = figures.paired(figure, selection);
    const bool all_leaky =
        std::all_of(groups.begin(), groups.end(), [](const Group& g) { return g.jobs == 0 || g.is_leaky; });
    std::vector<Candidate> candidates;
    Verdict verdict;
    verdict.metric = metric;
    for (std::size_t cell = 0; cell < groups.size(); ++cell) {
        if (groups[cell].jobs == 0) continue;
        const ShownMean mean = shown_mean(selection, groups[cell], values, "");
        if (mean.with_value < groups[cell].jobs || (groups[cell].is_leaky && !all_leaky)) {
            ++verdict.left_out;
            continue;
        }
        candidates.push_back({cell, *summarize(values_of(mean.folds)).mean,
                              fold_values(selection, groups[cell], paired.values), &groups[cell]});
    }
    verdict.compared = candidates.size();
    if (candidates.empty()) return verdict;
    const auto best = std::max_element(candidates.begin(), candidates.end(),
                                       [](const Candidate& a, const Candidate& b) { return a.mean < b.mean; });
    verdict.best = best->cell;
    verdict.mean = best->mean;
    const auto of_best = values_of(fold_values(selection, *best->group, values));
    verdict.folds = static_cast<std::int64_t>(of_best.size());
    if (const auto ratio = best->group->test_train_ratio()) verdict.interval = corrected_interval(of_best, *ratio);
    verdict.leaders = find_leaders(candidates);
    return verdict;
}

std::string in_words(const Verdict& verdict, const Layout& layout) {
    if (!verdict.best) return fmt::format("No configuration has a {} in every fold yet.", verdict.metric);
    std::string text =
        fmt::format("Best {}: {} with {:.3f}", verdict.metric, name_of(layout, *verdict.best), verdict.mean);
    if (verdict.interval) text += fmt::format(" [{:.3f}, {:.3f}]", verdict.interval->low, verdict.interval->high);
    text += fmt::format(" over {} fold{}.", verdict.folds, verdict.folds == 1 ? "" : "s");
    const Leaders& leaders = verdict.leaders;
    if (verdict.compared < 2) {
        text += " Nothing else is complete to compare it with.";
    } else if (leaders.tests == 0) {
        text += verdict.folds < 2 ? " One fold only: no test can tell it from the others."
                                  : " No test can tell it from the others: they were not tested on the same folds.";
    } else if (leaders.cells.size() == 1) {
        text += fmt::format(" It is better than all {} others it was tested against.", leaders.tests);
    } else {
        std::vector<std::string> names;
        for (std::size_t i = 1; i < std::min(leaders.cells.size(), kMostNamed + 1); ++i)
            names.push_back(layout.label(leaders.cells[i], false));
        const std::size_t more = leaders.cells.size() - 1 - names.size();
        text += fmt::format(" {} of the {} others cannot be told from it: {}{}.", leaders.cells.size() - 1,
                            leaders.tests, fmt::join(names, "; "), more > 0 ? fmt::format("; and {} more", more) : "");
    }
    if (leaders.tests > 0 && leaders.unpaired > 0)
        text += fmt::format(" {} more cannot be compared with it: tested on other folds or data.", leaders.unpaired);
    if (const std::string found = detectable_text(leaders); !found.empty()) text += " " + found;
    if (verdict.left_out > 0)
        text += fmt::format(" {} incomplete or leaky configurations are left out.", verdict.left_out);
    return text;
}

Table as_table(const Verdict& verdict, const Selection& selection, const Layout& layout,
               const std::vector<Group>& groups) {
    Table table;
    table.caption = in_words(verdict, layout) + fmt::format(" Sweep {}.", selection.sweep);
    for (const auto& key : layout.row_keys) table.columns.push_back({key});
    table.columns.push_back({verdict.metric, Alignment::kRight, {"mean", "low", "high", "folds"}});
    table.columns.push_back({"jobs"});
    const auto add = [&](std::size_t cell, Cell mean) {
        auto& row = table.rows.emplace_back();
        for (const auto& value : layout.rows[cell / layout.columns.size()]) row.push_back(cell_of(value));
        row.push_back(std::move(mean));
        std::vector<std::string> ids;
        for (const std::size_t index : groups[cell].job_indices)
            ids.push_back(std::to_string(selection.jobs[index].job_id));
        row.push_back(cell_of(fmt::format("{}", fmt::join(ids, " "))));
    };
    if (!verdict.best) return table;
    Cell winner;
    winner.text = fmt::format("{:.3f}", verdict.mean);
    if (verdict.interval)
        winner.text += fmt::format(" [{:.3f}, {:.3f}]", verdict.interval->low, verdict.interval->high);
    winner.values = {verdict.mean};
    add_values(verdict.interval, winner.values);
    winner.values.emplace_back(verdict.folds);
    winner.is_best = true;
    add(*verdict.best, std::move(winner));
    for (const std::size_t cell : verdict.leaders.cells)
        if (cell != *verdict.best) add(cell, {"cannot be told from it", {}});
    return table;
}

}  // namespace leadsweep

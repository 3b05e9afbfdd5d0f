#include "orchestrator/report/comparison_parts.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/provenance.hpp"
#include "orchestrator/statistics/summary.hpp"

namespace leadsweep {
namespace {

CellValue value_or_missing(std::optional<double> number) {
    return number ? CellValue(*number) : CellValue();
}

}  // namespace

void add_values(const std::optional<Interval>& interval, std::vector<CellValue>& values) {
    if (!interval) {
        values.resize(values.size() + 2);
        return;
    }
    values.emplace_back(interval->low);
    values.emplace_back(interval->high);
}

std::vector<std::string> mean_parts() {
    return {"mean", "sd", "low", "high", "n", "of", "is_leaky"};
}

Cell cell_of(const ShownMean& mean, Spread spread) {
    if (mean.group->jobs == 0) return {};
    const std::vector<double> values = values_of(mean.folds);
    const Summary summary = summarize(values);
    const auto ratio = mean.group->test_train_ratio();
    const auto interval = ratio ? corrected_interval(values, *ratio) : std::nullopt;
    Cell cell;
    cell.text = summary.mean ? fmt::format("{:.3f}", *summary.mean) : "-";
    if (spread == Spread::kSd && summary.sd) cell.text += fmt::format(" ± {:.3f}", *summary.sd);
    if (spread == Spread::kInterval && interval)
        cell.text += fmt::format(" [{:.3f}, {:.3f}]", interval->low, interval->high);
    if (mean.group->is_leaky) cell.text += "†";
    if (mean.is_other_device) cell.text += "‡";
    if (mean.with_value < mean.group->jobs) cell.text += fmt::format(" ({} of {})", mean.with_value, mean.group->jobs);
    cell.values = {value_or_missing(summary.mean), value_or_missing(summary.sd)};
    add_values(interval, cell.values);
    for (const std::int64_t n : {mean.with_value, mean.group->jobs, std::int64_t{mean.group->is_leaky ? 1 : 0}})
        cell.values.emplace_back(n);
    cell.jobs = mean.group->job_indices;
    return cell;
}

ShownMean shown_mean(const Selection& selection, const Group& group, const FigureValues& values,
                     const std::string& usual_device) {
    ShownMean mean{&group, fold_values(selection, group, values), 0, false};
    for (const std::size_t index : group.job_indices)
        if (values.contains(selection.jobs[index].attempt_id)) ++mean.with_value;
    mean.is_other_device = std::any_of(group.device_kinds.begin(), group.device_kinds.end(),
                                       [&](const std::string& kind) { return kind != usual_device; });
    return mean;
}

std::string usual_device(const Selection& selection) {
    std::map<std::string, std::size_t> counts;
    for (const SelectedJob& job : selection.jobs)
        if (job.attempt_id != 0) ++counts[job.device_kind];
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == counts.end() ? "" : most->first;
}

void add_group_notes(const Selection& selection, const Layout& layout, const std::vector<Group>& groups, bool has_gaps,
                     Table& table) {
    if (has_gaps) table.notes.push_back("(n of k): only n of k folds have a value; such cells are never marked best.");
    if (std::any_of(groups.begin(), groups.end(), [](const Group& g) { return g.is_leaky; }))
        table.notes.push_back("†: leaky, the tested fold steers training (folds.validation: tested).");
    std::set<std::string> kinds;
    for (const Group& group : groups) kinds.insert(group.device_kinds.begin(), group.device_kinds.end());
    if (kinds.size() > 1)
        table.notes.push_back(
            fmt::format("‡: computed on another kind of device than most cells ({}); results of {} "
                        "are compared.",
                        usual_device(selection), fmt::join(kinds, ", ")));
    if (!layout.averaged_keys.empty())
        table.notes.push_back(fmt::format("Repeats are pooled: {}. Seeds of one fold are averaged, other folds count.",
                                          fmt::join(layout.averaged_keys, ", ")));
    if (!layout.fixed_keys.empty())
        table.notes.push_back(
            fmt::format("Differs too, but follows the settings shown: {}.", fmt::join(layout.fixed_keys, ", ")));
    table.notes.insert(table.notes.end(), selection.notes.begin(), selection.notes.end());
}

void add_provenance(const Figures& figures, const Selection& selection, Table& table) {
    for (const auto& row : table.rows) {
        std::string label;
        for (std::size_t c = 0; c < row.size(); ++c) {
            if (row[c].jobs.empty()) {
                if (table.columns[c].parts.empty() && !row[c].text.empty() && label.size() < 80)
                    label += (label.empty() ? "" : ", ") + row[c].text;
                continue;
            }
            std::vector<std::int64_t> ids;
            for (const std::size_t index : row[c].jobs) ids.push_back(selection.jobs[index].job_id);
            table.notes.push_back(
                fmt::format("{}; {}: jobs {}.", label, table.columns[c].header, ranges_text(std::move(ids))));
        }
    }
    table.notes.push_back(fmt::format("Results digest: sha256 {}.", figures.digest()));
    table.notes.push_back(fmt::format("Made by leadsweep {}.", LEADSWEEP_VERSION));
}

}  // namespace leadsweep

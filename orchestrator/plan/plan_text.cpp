#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/plan/catalogue_source.hpp"
#include "orchestrator/plan/plan.hpp"

namespace leadsweep {
namespace {

std::string render_states(const Plan& plan, const std::map<std::string, std::string>& state_of_key) {
    std::map<std::string, std::size_t> counts;
    for (const PlannedJob& job : plan.jobs) {
        const auto state = state_of_key.find(hex_of(job.key));
        ++counts[state == state_of_key.end() ? "new" : state->second];
    }
    std::vector<std::string> parts;
    for (const auto& [state, count] : counts) parts.push_back(fmt::format("{} {}", count, state));
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::string render_folds(const Plan& plan, const PlannedFolds& folds) {
    const FoldReport& report = folds.report;
    const Catalogue& catalogue = *plan.data[folds.data].catalogue;
    std::size_t used = 0;
    for (const auto& fold : report.folds) used += fold.records;
    std::string text =
        fmt::format("\nFolds: {}, k {}, {}, seed {}, labels {}: {} of {} records in {} groups\n",
                    source_of(plan.data[folds.data].data), folds.spec.k, folds.spec.assign, folds.spec.seed,
                    folds.label_set->name, used, catalogue.records.size(), report.groups);
    if (!report.deviation.class_abbreviation.empty())
        text += fmt::format(
            "  classes are spread evenly to {:.1f} % at worst ({}); groups dealt out at random: {:.1f} % ({})\n",
            100 * report.deviation.share, report.deviation.class_abbreviation, 100 * report.random_deviation.share,
            report.random_deviation.class_abbreviation);
    text += fmt::format("  {:>4}  {:>8}  {:>8}  {:>24}\n", "fold", "records", "groups", "classes with positives");
    for (std::size_t f = 0; f < report.folds.size(); ++f) {
        const auto& fold = report.folds[f];
        const auto classes =
            std::count_if(fold.positives.begin(), fold.positives.end(), [](std::size_t n) { return n > 0; });
        text += fmt::format("  {:>4}  {:>8}  {:>8}  {:>24}{}\n", f, fold.records, fold.groups, classes,
                            report.fold_names.empty() ? "" : "  " + report.fold_names[f]);
    }
    return text;
}

}  // namespace

std::string render_plan(const Plan& plan, const std::map<std::string, std::string>& state_of_key) {
    std::string text = fmt::format("Sweep {}: {} jobs in {} groups ({})\n", plan.sweep_name, plan.jobs.size(),
                                   plan.groups.size(), render_states(plan, state_of_key));
    for (const AxisCount& axis : plan.axes) {
        std::vector<std::string> parts;
        for (const auto& [value, count] : axis.values) parts.push_back(fmt::format("{} ({})", value, count));
        text += fmt::format("  {}: {}\n", fmt::join(axis.keys, " + "), fmt::join(parts, ", "));
    }
    for (const PlannedFolds& folds : plan.folds) text += render_folds(plan, folds);
    if (!plan.notes.empty()) text += "\nNotes:\n";
    for (const auto& note : plan.notes) text += "  " + note + "\n";
    return text;
}

}  // namespace leadsweep

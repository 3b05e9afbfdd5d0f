#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/bootstrap_folds.hpp"
#include "orchestrator/report/comparison_parts.hpp"
#include "orchestrator/statistics/holm.hpp"
#include "orchestrator/statistics/summary.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

using Settings = std::map<std::string, std::string>;

/// The baseline's settings as the table shows them: 75 for 75.0.
Settings shown_baseline(const TableRequest& request, const std::map<Settings, std::size_t>& cells) {
    Settings shown;
    for (const auto& [key, value] : request.baseline) {
        const auto& known = cells.begin()->first;
        if (!known.contains(key)) {
            std::vector<std::string> names;
            for (const auto& [name, ignored] : known) names.push_back(name);
            throw InputError(
                fmt::format("--baseline: '{}' is no setting of the table's rows or columns{}; there are {}", key,
                            suggestion(key, names), fmt::join(names, ", ")));
        }
        const auto found = std::find_if(cells.begin(), cells.end(),
                                        [&](const auto& cell) { return is_same_value(cell.first.at(key), value); });
        if (found == cells.end()) throw InputError(fmt::format("--baseline: no configuration has {}={}", key, value));
        shown[key] = found->first.at(key);
    }
    return shown;
}

/// The cell with which each cell is compared; nothing for the baseline itself and where there is no such configuration.
std::vector<std::optional<std::size_t>> baselines_of(const TableRequest& request, const Layout& layout,
                                                     const std::vector<Group>& groups) {
    std::map<Settings, std::size_t> cells;
    for (std::size_t cell = 0; cell < layout.cell_count(); ++cell)
        if (groups[cell].jobs > 0) cells.emplace(layout.settings(cell), cell);
    const Settings baseline = shown_baseline(request, cells);
    std::vector<std::optional<std::size_t>> baselines(layout.cell_count());
    for (const auto& [settings, cell] : cells) {
        Settings wanted = settings;
        for (const auto& [key, value] : baseline) wanted[key] = value;
        const auto found = cells.find(wanted);
        if (found != cells.end() && found->second != cell) baselines[cell] = found->second;
    }
    return baselines;
}

struct Comparison {
    std::size_t row = 0;  ///< of the table
    std::optional<double> p;
};

class DifferenceRows {
public:
    DifferenceRows(const Figures& figures, const TableRequest& request, const Selection& selection,
                   const Layout& layout, Table& table)
        : figures_(figures),
          request_(request),
          selection_(selection),
          layout_(layout),
          groups_(groups_of(selection, layout)),
          baselines_(baselines_of(request, layout, groups_)),
          usual_device_(usual_device(selection)),
          table_(table) {}

    void add_metric(const std::string& metric) {
        const Figure figure = figure_from(figures_.store(), metric);
        const FigureValues& values = figures_.values(figure);
        const PairedFigure paired = figures_.paired(figure, selection_);
        for (std::size_t cell = 0; cell < layout_.cell_count(); ++cell)
            if (groups_[cell].jobs > 0) add_row(metric, cell, values, paired);
        if (paired.classes < paired.all_classes)
            table_.notes.push_back(
                fmt::format("{}: differences are over the {} of {} classes that have tested positives in every fold.",
                            metric, paired.classes, paired.all_classes));
    }

    void finish() {
        std::vector<double> p_values;
        for (const Comparison& one : comparisons_)
            if (one.p) p_values.push_back(*one.p);
        const auto adjusted = holm_adjusted(p_values);
        std::size_t next = 0;
        for (const Comparison& one : comparisons_) {
            if (!one.p) continue;
            Cell& cell = table_.rows[one.row][holm_column()];
            cell = number_cell(adjusted[next], p_text(adjusted[next]));
            cell.is_best = adjusted[next] <= 1 - kConfidence;
            ++next;
        }
        table_.notes.push_back(fmt::format(
            "p: corrected paired t-test of Nadeau and Bengio, n_test/n_train of the folds; Holm over the {} tests of "
            "this "
            "table. Marked: p (Holm) at most {:.2f}. Detectable: the true difference found with power {:.1f}.",
            p_values.size(), 1 - kConfidence, kPower));
        table_.notes.push_back(
            fmt::format("P(worse, same, better): Bayesian correlated t-test, same within ±{} of the baseline.",
                        shortest(request_.rope)));
        if (is_unpaired_) table_.notes.push_back("not paired: tested on other folds or data than the baseline.");
        if (has_one_fold_) table_.notes.push_back("one fold: no test.");
        if (is_mixed_) table_.notes.push_back("‡‡: the two were computed on different kinds of devices.");
        add_group_notes(selection_, layout_, groups_, has_gaps_, table_);
    }

    static std::string p_text(double p) { return p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p); }
    static Cell number_cell(double value, const std::string& text) { return {text, {CellValue(value)}}; }

private:
    std::size_t holm_column() const { return layout_.settings(0).size() + (request_.metrics.size() > 1 ? 1 : 0) + 3; }

    void add_row(const std::string& metric, std::size_t cell, const FigureValues& values, const PairedFigure& paired) {
        auto& row = table_.rows.emplace_back();
        if (request_.metrics.size() > 1) row.push_back(leadsweep::cell_of(metric));
        for (const auto& value : layout_.rows[cell / layout_.columns.size()]) row.push_back(leadsweep::cell_of(value));
        if (!layout_.column_key.empty())
            row.push_back(leadsweep::cell_of(layout_.columns[cell % layout_.columns.size()]));
        const ShownMean mean = shown_mean(selection_, groups_[cell], values, usual_device_);
        has_gaps_ = has_gaps_ || mean.with_value < mean.group->jobs;
        row.push_back(cell_of(mean, request_.spread));
        const std::size_t first = row.size();
        row.resize(table_.columns.size());
        if (!baselines_[cell]) {
            row[first].text = "baseline";
            return;
        }
        compare(cell, *baselines_[cell], paired, row, first);
    }

    void compare(std::size_t cell, std::size_t baseline, const PairedFigure& paired, std::vector<Cell>& row,
                 std::size_t first) {
        const Group& a = groups_[cell];
        const Group& b = groups_[baseline];
        const FoldValues of_cell = fold_values(selection_, a, paired.values);
        const FoldValues of_baseline = fold_values(selection_, b, paired.values);
        const Pairing pairing = pair_folds(of_cell, of_baseline);
        const auto ratio = common_ratio(a, b);
        const auto test = ratio ? corrected_t_test(pairing.differences, *ratio) : std::nullopt;
        const Summary summary = summarize(pairing.differences);
        if (!summary.mean) {
            // Nothing is said of a configuration that has no results yet.
            if (of_cell.empty() || of_baseline.empty()) return;
            row[first].text = "not paired";
            is_unpaired_ = true;
            return;
        }
        Cell& difference = row[first];
        difference.text = fmt::format("{:+.3f}", *summary.mean);
        if (test) difference.text += fmt::format(" [{:+.3f}, {:+.3f}]", test->interval.low, test->interval.high);
        if (a.device_kinds != b.device_kinds) {
            difference.text += "‡‡";
            is_mixed_ = true;
        }
        difference.values = {*summary.mean};
        add_values(test ? std::optional(test->interval) : std::nullopt, difference.values);
        difference.values.emplace_back(summary.n);
        difference.jobs = b.job_indices;
        if (!test) {
            row[first + 1].text = summary.n < 2 ? "one fold" : "";
            has_one_fold_ = has_one_fold_ || summary.n < 2;
            return;
        }
        comparisons_.push_back({table_.rows.size() - 1, test->p});
        row[first + 1] = test->p ? number_cell(*test->p, p_text(*test->p)) : Cell{"constant", {}};
        const auto posterior = bayesian_correlated_t_test(pairing.differences, *ratio, request_.rope);
        row[first + 3].text =
            fmt::format("{:.2f}, {:.2f}, {:.2f}", posterior->worse, posterior->equivalent, posterior->better);
        row[first + 3].values = {posterior->worse, posterior->equivalent, posterior->better};
        const double found = effect_of(test->n) * corrected_error(test->sd, test->n, *ratio);
        row[first + 4] = number_cell(found, fmt::format("{:.3f}", found));
        if (request_.bootstrap > 0) row[first + 5] = bootstrap_cell(baseline, cell);
    }

    Cell bootstrap_cell(std::size_t baseline, std::size_t cell) {
        const BootstrapAnswer answer = bootstrap_groups(figures_.store(), request_.work_folder, selection_,
                                                        groups_[baseline], groups_[cell], request_.bootstrap);
        if (!answer.problem.empty() &&
            std::find(table_.notes.begin(), table_.notes.end(), answer.problem) == table_.notes.end())
            table_.notes.push_back(answer.problem);
        if (!answer.difference) return {};
        const auto& d = *answer.difference;
        return {fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]", d.difference, d.interval.low, d.interval.high),
                {d.difference, d.interval.low, d.interval.high, d.patients, d.classes}};
    }

    double effect_of(std::int64_t n) {
        const auto [found, is_new] = effects_.emplace(n, 0.0);
        if (is_new) found->second = detectable_effect(n);
        return found->second;
    }

    const Figures& figures_;
    const TableRequest& request_;
    const Selection& selection_;
    const Layout& layout_;
    std::vector<Group> groups_;
    std::vector<std::optional<std::size_t>> baselines_;
    std::string usual_device_;
    Table& table_;
    std::vector<Comparison> comparisons_;
    std::map<std::int64_t, double> effects_;
    bool is_unpaired_ = false;
    bool has_one_fold_ = false;
    bool is_mixed_ = false;
    bool has_gaps_ = false;
};

}  // namespace

Table difference_table(const Figures& figures, const TableRequest& request, const Selection& selection,
                       const Layout& layout) {
    std::vector<std::string> baseline;
    for (const auto& [key, value] : request.baseline) baseline.push_back(key + "=" + value);
    Table table;
    table.caption = fmt::format("{} of the tested folds and paired differences from {} (95 % intervals); sweep {}.",
                                fmt::join(request.metrics, ", "), fmt::join(baseline, ", "), selection.sweep);
    if (request.metrics.size() > 1) table.columns.push_back({"metric"});
    for (const auto& key : layout.row_keys) table.columns.push_back({key});
    if (!layout.column_key.empty()) table.columns.push_back({layout.column_key});
    table.columns.push_back({"mean", Alignment::kRight, mean_parts()});
    table.columns.push_back({"difference", Alignment::kRight, {"mean", "low", "high", "pairs"}});
    table.columns.push_back({"p", Alignment::kRight});
    table.columns.push_back({"p (Holm)", Alignment::kRight});
    table.columns.push_back({"P(worse, same, better)", Alignment::kRight, {"worse", "same", "better"}});
    table.columns.push_back({"detectable", Alignment::kRight});
    if (request.bootstrap > 0) {
        table.columns.push_back(
            {"bootstrap of macro AUROC", Alignment::kRight, {"difference", "low", "high", "patients", "classes"}});
        table.notes.push_back(fmt::format(
            "Bootstrap: {} replicates, patients drawn within folds, AUROC fold by fold, percentile interval.",
            std::max<std::int64_t>(request.bootstrap, 100)));
    }
    DifferenceRows rows(figures, request, selection, layout, table);
    for (const auto& metric : request.metrics) rows.add_metric(metric);
    rows.finish();
    return table;
}

}  // namespace leadsweep

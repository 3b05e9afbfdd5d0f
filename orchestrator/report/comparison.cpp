#include "orchestrator/report/comparison.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/comparison_parts.hpp"
#include "orchestrator/statistics/summary.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

/// One metric of all cells.
struct MetricColumn {
    Figure figure;
    std::vector<ShownMean> cells;  ///< by cell of the layout
    Leaders leaders;
    PairedFigure paired;
};

/// Honest complete cells; leaky ones only where all are.
std::vector<Candidate> candidates_of(const MetricColumn& column, const Selection& selection) {
    const bool all_leaky = std::all_of(column.cells.begin(), column.cells.end(),
                                       [](const ShownMean& m) { return m.group->jobs == 0 || m.group->is_leaky; });
    std::vector<Candidate> candidates;
    for (std::size_t cell = 0; cell < column.cells.size(); ++cell) {
        const ShownMean& mean = column.cells[cell];
        if (mean.group->jobs == 0 || mean.with_value < mean.group->jobs) continue;
        if (mean.group->is_leaky && !all_leaky) continue;
        candidates.push_back({cell, *summarize(values_of(mean.folds)).mean,
                              fold_values(selection, *mean.group, column.paired.values), mean.group});
    }
    return candidates;
}

MetricColumn load_column(const Figures& figures, const Selection& selection, const std::vector<Group>& groups,
                         const std::string& metric) {
    MetricColumn column;
    column.figure = figure_from(figures.store(), metric);
    const FigureValues& values = figures.values(column.figure);
    const std::string usual = usual_device(selection);
    for (const Group& group : groups) column.cells.push_back(shown_mean(selection, group, values, usual));
    column.paired = figures.paired(column.figure, selection);
    column.leaders = find_leaders(candidates_of(column, selection));
    return column;
}

void add_test_notes(const std::vector<MetricColumn>& columns, Table& table) {
    std::int64_t tests = 0;
    std::int64_t unpaired = 0;
    std::size_t cells = 0;
    for (const MetricColumn& column : columns) {
        tests += column.leaders.tests;
        unpaired += column.leaders.unpaired;
        for (const ShownMean& mean : column.cells) cells += mean.group->jobs > 0 ? 1 : 0;
    }
    if (tests > 0)
        table.notes.push_back(
            fmt::format("Marked: the best of each metric, and all that cannot be told from it (corrected paired t-test "
                        "of Nadeau and "
                        "Bengio, Holm over the {} tests of a metric, level {:.2f}).",
                        columns.front().leaders.tests, 1 - kConfidence));
    else if (cells > columns.size())
        table.notes.push_back(
            "Nothing is tested and nothing marked: a test needs two configurations, each with two or more folds tested "
            "on the same records and known numbers of training records.");
    if (unpaired > 0)
        table.notes.push_back(fmt::format(
            "{} comparisons with the best are left out: tested on other folds or data, they cannot be paired.",
            unpaired));
    std::map<std::pair<std::size_t, std::size_t>, std::vector<std::string>> in_part;  // metrics by their classes
    for (const MetricColumn& column : columns)
        if (column.leaders.tests > 0 && column.paired.classes < column.paired.all_classes)
            in_part[{column.paired.classes, column.paired.all_classes}].push_back(column.figure.text);
    for (const auto& [classes, metrics] : in_part)
        table.notes.push_back(
            fmt::format("{}: tests are paired over the {} of {} classes that have tested positives in every fold.",
                        fmt::join(metrics, ", "), classes.first, classes.second));
}

std::string caption_of(const TableRequest& request, const Selection& selection,
                       const std::vector<MetricColumn>& columns) {
    std::string caption =
        fmt::format("{} of the tested folds, {}; sweep {}.", fmt::join(request.metrics, ", "),
                    request.spread == Spread::kSd ? "mean ± sd" : "mean [corrected 95 % interval]", selection.sweep);
    if (columns.size() == 1) {
        const std::string text = detectable_text(columns.front().leaders);
        return text.empty() ? caption : caption + " " + text;
    }
    std::vector<std::string> ranges;
    for (const MetricColumn& column : columns)
        if (const std::string range = detectable_range(column.leaders); !range.empty())
            ranges.push_back(fmt::format("{} {} with {} folds", column.figure.text, range, column.leaders.folds));
    if (!ranges.empty())
        caption += fmt::format(" Smallest detectable differences (power {:.1f}): {}.", kPower, fmt::join(ranges, ", "));
    return caption;
}

/// Rows of the table in the order asked for.
void sort_rows(const TableRequest& request, const Layout& layout, const std::vector<MetricColumn>& columns,
               Table& table) {
    if (request.sort.empty()) return;
    std::vector<std::size_t> order(layout.rows.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto key = std::find(layout.row_keys.begin(), layout.row_keys.end(), request.sort);
    const auto metric = std::find_if(columns.begin(), columns.end(),
                                     [&](const MetricColumn& c) { return c.figure.text == request.sort; });
    if (key != layout.row_keys.end()) {
        const auto place = static_cast<std::size_t>(key - layout.row_keys.begin());
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return is_shown_before(layout.rows[a][place], layout.rows[b][place]);
        });
    } else if (metric != columns.end()) {
        const auto best_of_row = [&](std::size_t row) {
            double best = -1e300;
            for (std::size_t c = 0; c < layout.columns.size(); ++c) {
                const auto mean = summarize(values_of(metric->cells[row * layout.columns.size() + c].folds)).mean;
                if (mean) best = std::max(best, *mean);
            }
            return best;
        };
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return best_of_row(a) > best_of_row(b); });
    } else {
        std::vector<std::string> known = layout.row_keys;
        for (const MetricColumn& c : columns) known.push_back(c.figure.text);
        throw InputError(fmt::format("cannot sort by '{}'{}: rows have {}", request.sort,
                                     suggestion(request.sort, known), fmt::join(known, ", ")));
    }
    std::vector<std::vector<Cell>> rows;
    for (const std::size_t row : order) rows.push_back(std::move(table.rows[row]));
    table.rows = std::move(rows);
}

}  // namespace

Table value_table(const Figures& figures, const TableRequest& request, const Selection& selection,
                  const Layout& layout) {
    const std::vector<Group> groups = groups_of(selection, layout);
    std::vector<MetricColumn> columns;
    for (const auto& metric : request.metrics) columns.push_back(load_column(figures, selection, groups, metric));
    Table table;
    table.caption = caption_of(request, selection, columns);
    for (const auto& key : layout.row_keys) table.columns.push_back({key, Alignment::kLeft});
    for (const auto& row : layout.rows) {
        auto& cells = table.rows.emplace_back();
        for (const auto& value : row) cells.push_back(cell_of(value));
    }
    bool has_gaps = false;
    for (const MetricColumn& column : columns) {
        for (const auto& value : layout.columns) {
            std::string header = value.empty() ? column.figure.text : layout.column_key + " " + value;
            if (!value.empty() && columns.size() > 1) header = column.figure.text + ", " + header;
            table.columns.push_back({header, Alignment::kRight, mean_parts()});
        }
        const auto& best = column.leaders.cells;
        for (std::size_t cell = 0; cell < column.cells.size(); ++cell) {
            const ShownMean& mean = column.cells[cell];
            has_gaps = has_gaps || mean.with_value < mean.group->jobs;
            Cell shown = cell_of(mean, request.spread);
            shown.is_best = std::find(best.begin(), best.end(), cell) != best.end();
            table.rows[cell / layout.columns.size()].push_back(std::move(shown));
        }
    }
    sort_rows(request, layout, columns, table);
    add_test_notes(columns, table);
    add_group_notes(selection, layout, groups, has_gaps, table);
    return table;
}

Table comparison_table(const ReadStore& store, const TableRequest& request) {
    const ReadStore::Hold one_state = store.hold();
    const Selection selection = select_jobs(store, request.filter);
    const Figures figures(store, selection);
    const Layout layout = lay_out(selection, request.rows, request.columns);
    Table table = !request.baseline.empty() ? difference_table(figures, request, selection, layout)
                  : request.per_class       ? class_table(figures, request, selection, layout)
                                            : value_table(figures, request, selection, layout);
    if (request.has_provenance) add_provenance(figures, selection, table);
    return table;
}

}  // namespace leadsweep

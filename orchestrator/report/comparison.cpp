#include "orchestrator/report/comparison.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/statistics/summary.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

using Key = std::vector<std::string>;  ///< values of the row settings

struct Spot {
    std::vector<double> values;
    std::int64_t jobs = 0;
    bool is_leaky = false;
};

/// Positions of the cells, in the order in which their jobs come.
struct Layout {
    std::vector<std::string> row_keys;    ///< requested, then extra
    std::vector<std::string> fixed_keys;  ///< differ too, but follow the ones shown
    std::vector<Key> rows;
    std::vector<std::string> columns;  ///< values of the column setting; one "" where there is none
    std::vector<std::size_t> row_of_job;
    std::vector<std::size_t> column_of_job;
};

Key values_of(const Selection& selection, const SelectedJob& job, const std::vector<std::string>& keys) {
    Key values;
    for (const auto& key : keys) values.push_back(selection.setting(job, key));
    return values;
}

/// Whether jobs that agree in `keys` always agree in `candidate`.
bool is_fixed_by(const Selection& selection, const std::vector<std::string>& keys, const std::string& candidate) {
    std::map<Key, std::string> seen;
    return std::all_of(selection.jobs.begin(), selection.jobs.end(), [&](const SelectedJob& job) {
        const std::string& value = selection.setting(job, candidate);
        return seen.emplace(values_of(selection, job, keys), value).first->second == value;
    });
}

template <class Value>
std::size_t place_of(std::vector<Value>& values, std::map<Value, std::size_t>& places, const Value& value) {
    const auto [found, is_new] = places.emplace(value, values.size());
    if (is_new) values.push_back(value);
    return found->second;
}

Layout lay_out(const Selection& selection, const TableRequest& request) {
    Layout layout;
    layout.row_keys = request.rows;
    std::vector<std::string> shown = request.rows;
    if (!request.columns.empty()) shown.push_back(request.columns);
    for (const auto& key : selection.varying_keys()) {
        if (std::find(shown.begin(), shown.end(), key) != shown.end()) continue;
        if (is_fixed_by(selection, shown, key)) {
            layout.fixed_keys.push_back(key);
            continue;
        }
        shown.push_back(key);
        layout.row_keys.push_back(key);
    }
    std::map<Key, std::size_t> row_places;
    std::map<std::string, std::size_t> column_places;
    for (const SelectedJob& job : selection.jobs) {
        const std::string column = request.columns.empty() ? "" : selection.setting(job, request.columns);
        layout.row_of_job.push_back(place_of(layout.rows, row_places, values_of(selection, job, layout.row_keys)));
        layout.column_of_job.push_back(place_of(layout.columns, column_places, column));
    }
    return layout;
}

[[noreturn]] void refuse_metric(const ReadStore& store, const std::string& name, bool is_of_class) {
    std::vector<std::string> known;
    const std::string sql = is_of_class ? "SELECT DISTINCT name FROM metrics WHERE class_code <> '' ORDER BY 1"
                                        : "SELECT DISTINCT name FROM metrics WHERE class_code = '' ORDER BY 1";
    for (const auto& row : store.ask(sql).rows) known.push_back(as_text(row[0]));
    throw InputError(fmt::format("no result has the metric '{}'{}; there are: {}", name, suggestion(name, known),
                                 fmt::join(known, ", ")));
}

/// Code of a class given by code or abbreviation.
std::string class_code_from(const ReadStore& store, const std::string& word) {
    const auto rows = store.ask("SELECT code FROM classes WHERE code = ?1 OR abbreviation = ?1", {word}).rows;
    if (!rows.empty()) return as_text(rows[0][0]);
    std::vector<std::string> known;
    for (const auto& row : store.ask("SELECT abbreviation FROM classes").rows) known.push_back(as_text(row[0]));
    throw InputError(fmt::format("unknown class '{}'{}", word, suggestion(word, known)));
}

/// The metric's value of each result; results without a value are left out.
std::unordered_map<std::int64_t, double> load_values(const ReadStore& store, std::int64_t sweep_id,
                                                     const std::string& metric) {
    const auto colon = metric.find(':');
    const std::string name = metric.substr(0, colon);
    const std::string code = colon == std::string::npos ? "" : class_code_from(store, metric.substr(colon + 1));
    const SqlResult rows = store.ask(
        "SELECT m.attempt_id, m.value FROM sweep_jobs AS s JOIN jobs AS j ON j.job_id = s.job_id "
        "JOIN metrics AS m ON m.attempt_id = j.winning_attempt_id AND m.split = 'test' AND m.class_code = ? AND m.name "
        "= ? "
        "WHERE s.sweep_id = ? AND s.is_stale = 0",
        {code, name, sweep_id});
    const bool has_results = !store.ask("SELECT 1 FROM metrics LIMIT 1").rows.empty();
    if (rows.rows.empty() && has_results &&
        store.ask("SELECT 1 FROM metrics WHERE name = ? LIMIT 1", {name}).rows.empty())
        refuse_metric(store, name, colon != std::string::npos);
    std::unordered_map<std::int64_t, double> values;
    for (const auto& row : rows.rows)
        if (const auto value = as_number(row[1])) values.emplace(*as_integer(row[0]), *value);
    return values;
}

Cell show(const Spot& spot) {
    if (spot.jobs == 0) return {};
    const Summary summary = summarize(spot.values);
    Cell cell;
    cell.text = summary.mean ? fmt::format("{:.3f}", *summary.mean) : "-";
    if (summary.sd) cell.text += fmt::format(" ± {:.3f}", *summary.sd);
    if (spot.is_leaky) cell.text += "†";
    if (summary.n < spot.jobs) cell.text += fmt::format(" ({} of {})", summary.n, spot.jobs);
    const auto value = [](std::optional<double> number) { return number ? CellValue(*number) : CellValue(); };
    cell.values = {value(summary.mean), value(summary.sd), summary.n, spot.jobs, std::int64_t{spot.is_leaky ? 1 : 0}};
    return cell;
}

/// Marks the largest mean among complete cells; honest ones alone, unless all are leaky.
void mark_best(const std::vector<std::vector<Spot>>& spots, Table& table, std::size_t first_column) {
    const bool all_leaky = std::all_of(spots.begin(), spots.end(), [](const auto& row) {
        return std::all_of(row.begin(), row.end(), [](const Spot& s) { return s.jobs == 0 || s.is_leaky; });
    });
    std::vector<std::pair<double, Cell*>> candidates;
    for (std::size_t r = 0; r < spots.size(); ++r) {
        for (std::size_t c = 0; c < spots[r].size(); ++c) {
            const Spot& spot = spots[r][c];
            const bool is_complete = spot.jobs > 0 && static_cast<std::int64_t>(spot.values.size()) == spot.jobs;
            if (!is_complete || (spot.is_leaky && !all_leaky)) continue;
            candidates.emplace_back(*summarize(spot.values).mean, &table.rows[r][first_column + c]);
        }
    }
    if (candidates.size() < 2) return;
    const double best = std::max_element(candidates.begin(), candidates.end())->first;
    for (auto& [mean, cell] : candidates) cell->is_best = mean == best;
}

void add_notes(const Selection& selection, const Layout& layout, const std::vector<std::vector<Spot>>& spots,
               Table& table) {
    bool is_partial = false;
    bool is_leaky = false;
    for (const auto& row : spots) {
        for (const Spot& spot : row) {
            is_partial = is_partial || static_cast<std::int64_t>(spot.values.size()) < spot.jobs;
            is_leaky = is_leaky || spot.is_leaky;
        }
    }
    if (is_partial)
        table.notes.push_back("(n of k): only n of k folds have a value; such cells are never marked best.");
    if (is_leaky) table.notes.push_back("†: leaky, the tested fold steers training (folds.validation: tested).");
    if (!layout.fixed_keys.empty())
        table.notes.push_back(
            fmt::format("Differs too, but follows the settings shown: {}.", fmt::join(layout.fixed_keys, ", ")));
    std::set<std::string> kinds;
    for (const SelectedJob& job : selection.jobs)
        if (!job.device_kind.empty()) kinds.insert(job.device_kind);
    if (kinds.size() > 1)
        table.notes.push_back(fmt::format("Results of different devices are compared: {}.", fmt::join(kinds, ", ")));
    table.notes.insert(table.notes.end(), selection.notes.begin(), selection.notes.end());
}

}  // namespace

Table comparison_table(const ReadStore& store, const TableRequest& request) {
    const Selection selection = select_jobs(store, request.filter);
    const Layout layout = lay_out(selection, request);
    Table table;
    table.caption =
        fmt::format("{} of the tested folds, mean ± sd; sweep {}", fmt::join(request.metrics, ", "), selection.sweep);
    for (const auto& key : layout.row_keys) table.columns.push_back({key, Alignment::kLeft});
    for (const Key& row : layout.rows) {
        auto& cells = table.rows.emplace_back();
        for (const auto& value : row) cells.push_back(cell_of(value));
    }
    std::vector<std::vector<Spot>> all_spots;
    for (const auto& metric : request.metrics) {
        const auto values = load_values(store, selection.sweep_id, metric);
        std::vector<std::vector<Spot>> spots(layout.rows.size(), std::vector<Spot>(layout.columns.size()));
        for (std::size_t j = 0; j < selection.jobs.size(); ++j) {
            const SelectedJob& job = selection.jobs[j];
            Spot& spot = spots[layout.row_of_job[j]][layout.column_of_job[j]];
            ++spot.jobs;
            spot.is_leaky = spot.is_leaky || job.is_leaky;
            if (const auto found = values.find(job.attempt_id); found != values.end())
                spot.values.push_back(found->second);
        }
        const std::size_t first_column = table.columns.size();
        for (const auto& column : layout.columns) {
            std::string header = column.empty() ? metric : request.columns + " " + column;
            if (!column.empty() && request.metrics.size() > 1) header = metric + ", " + header;
            table.columns.push_back({header, Alignment::kRight, {"mean", "sd", "n", "of", "is_leaky"}});
        }
        for (std::size_t r = 0; r < spots.size(); ++r)
            for (const Spot& spot : spots[r]) table.rows[r].push_back(show(spot));
        mark_best(spots, table, first_column);
        all_spots.insert(all_spots.end(), spots.begin(), spots.end());
    }
    add_notes(selection, layout, all_spots, table);
    return table;
}

}  // namespace leadsweep

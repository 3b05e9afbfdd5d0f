#include "orchestrator/report/page_sections.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/comparison_parts.hpp"
#include "orchestrator/report/markup.hpp"
#include "orchestrator/report/provenance.hpp"
#include "orchestrator/report/query.hpp"
#include "orchestrator/report/status.hpp"
#include "orchestrator/report/verdict.hpp"
#include "orchestrator/statistics/summary.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kMostRows = 100;
constexpr std::size_t kMostClassColumns = 12;

/// What the report compares, as far as results have it.
constexpr std::array<const char*, 6> kMetrics = {"macro_f1",       "macro_auroc",     "accuracy",
                                                 "macro_f1_tuned", "challenge_score", "macro_auprc"};
constexpr const char* kSilentAccuracy = "accuracy_all_negative";

/// A selection with the jobs of some cells alone, for tables that would be endless otherwise.
Selection narrowed(const PageData& page, const std::vector<std::size_t>& cells) {
    std::vector<SelectedJob> jobs;
    for (const std::size_t cell : cells)
        for (const std::size_t index : page.groups[cell].job_indices) jobs.push_back(page.selection.jobs[index]);
    std::sort(jobs.begin(), jobs.end(), [](const SelectedJob& a, const SelectedJob& b) { return a.job_id < b.job_id; });
    return page.selection.with_jobs(std::move(jobs));
}

std::vector<std::size_t> first_cells(const PageData& page, std::size_t most) {
    const std::size_t count = std::min(page.by_merit.size(), most);
    return {page.by_merit.begin(), page.by_merit.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::string tile(const std::string& value, const std::string& what) {
    return fmt::format("<li><b>{}</b><span>{}</span></li>\n", html_escaped(value), html_escaped(what));
}

std::string count_of(const PageData& page, std::string_view state) {
    const auto n = std::count_if(page.selection.jobs.begin(), page.selection.jobs.end(),
                                 [&](const SelectedJob& job) { return job.state == state; });
    return std::to_string(n);
}

/// Fraction of right labels of a model that never says anything: what `accuracy` must be held against.
std::string accuracy_words(const PageData& page) {
    if (!page.has_silent_accuracy) return "";
    const FigureValues& silent = page.figures.values({"", kSilentAccuracy, ""});
    double sum = 0;
    std::size_t n = 0;
    for (const SelectedJob& job : page.selection.jobs) {
        const auto found = silent.find(job.attempt_id);
        if (found == silent.end()) continue;
        sum += found->second;
        ++n;
    }
    if (n == 0) return "";
    return fmt::format("<p>Accuracy is the mean per label: a model that never names a diagnosis has {:.3f}.</p>\n",
                       sum / static_cast<double>(n));
}

/// Cells, the best mean of the figure first.
std::vector<std::size_t> ordered_by_merit(const PageData& page) {
    std::vector<std::size_t> order(page.groups.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (page.metrics.empty()) return order;
    const FigureValues& values = page.figures.values({"", page.metrics.front(), ""});
    std::vector<double> merit;
    for (const Group& group : page.groups)
        merit.push_back(summarize(values_of(fold_values(page.selection, group, values))).mean.value_or(-1e300));
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return merit[a] > merit[b]; });
    return order;
}

}  // namespace

PageData::PageData(const ReadStore& from, const PageRequest& request)
    : store(from),
      one_state(from.hold()),
      work_folder(request.work_folder),
      selection(select_jobs(from, request.filter)),
      figures(from, selection),
      layout(lay_out(selection, {}, "")),
      groups(groups_of(selection, layout)) {
    const std::set<std::string> there = figures.names(false);
    for (const char* name : kMetrics)
        if (there.contains(name)) metrics.emplace_back(name);
    has_silent_accuracy = there.contains("accuracy") && there.contains(kSilentAccuracy);
    std::set<std::string> shown(metrics.begin(), metrics.end());
    if (has_silent_accuracy) shown.insert(kSilentAccuracy);
    digest = figures.digest(shown);
    by_merit = ordered_by_merit(*this);
}

std::vector<PageGroup> groups_to_draw(const PageData& page) {
    std::vector<PageGroup> groups;
    for (const std::size_t cell : first_cells(page, kMostGroupsDrawn)) {
        const std::string label = page.layout.label(cell, false);
        groups.push_back({cell, label.empty() ? page.selection.sweep : label, &page.groups[cell]});
    }
    return groups;
}

std::string summary_html(const PageData& page) {
    std::string html;
    for (const auto& metric : page.metrics) {
        if (metric != "macro_f1" && metric != "macro_auroc") continue;
        html += "<p class=\"verdict\">" +
                html_escaped(in_words(judge(page.figures, page.selection, page.groups, metric), page.layout)) +
                "</p>\n";
    }
    if (page.metrics.empty())
        html += count_of(page, "finished") == "0" ? "<p class=\"verdict\">No job of this sweep is finished yet.</p>\n"
                                                  : "<p class=\"verdict\">The finished jobs left no figures.</p>\n";
    html += accuracy_words(page);
    html += "<ul class=\"tiles\">\n" + tile(std::to_string(page.selection.jobs.size()), "jobs") +
            tile(std::to_string(page.groups.size()), "configurations") +
            tile(std::to_string(page.selection.tested_folds.size()), "tested folds") +
            tile(count_of(page, "finished"), "finished");
    for (const char* state : {"running", "waiting", "failed", "invalid", "cancelled"})
        if (const std::string n = count_of(page, state); n != "0") html += tile(n, state);
    return html + "</ul>\n";
}

std::string comparison_html(const PageData& page) {
    if (page.metrics.empty()) return "";
    TableRequest request;
    request.metrics = page.metrics;
    const bool is_cut = page.by_merit.size() > kMostRows;
    const Selection selection = is_cut ? narrowed(page, first_cells(page, kMostRows)) : page.selection;
    const Layout layout = lay_out(selection, page.layout.row_keys, "");
    Table table = value_table(page.figures, request, selection, layout);
    if (is_cut)
        table.notes.push_back(fmt::format("The {} best of {} configurations; `leadsweep table` has them all.",
                                          kMostRows, page.by_merit.size()));
    return html_table(table, "comparison-table");
}

std::string class_html(const PageData& page) {
    if (page.metrics.empty()) return "";
    const auto cells = first_cells(page, kMostClassColumns);
    const Selection selection = narrowed(page, cells);
    const Layout layout = lay_out(selection, page.layout.row_keys, "");
    const std::set<std::string> there = page.figures.names(true);
    std::string html;
    for (const char* metric : {"auroc", "f1"}) {
        if (!there.contains(metric)) continue;
        TableRequest request;
        request.metrics = {metric};
        request.per_class = true;
        Table table = class_table(page.figures, request, selection, layout);
        for (auto& column : table.columns)
            if (column.header.empty()) column.header = metric;
        if (page.by_merit.size() > kMostClassColumns)
            table.notes.push_back(
                fmt::format("The {} best of {} configurations.", kMostClassColumns, page.by_merit.size()));
        html += html_table(table, std::string("class-") + metric);
    }
    return html;
}

std::string failures_html(const PageData& page) {
    Table table = failure_table(page.store, page.selection.sweep, 50);
    if (table.rows.empty()) return "<p>No attempt failed.</p>\n";
    return html_table(table, "failure-table");
}

std::string cost_html(const PageData& page) {
    Table table = query_table(
        page.store,
        "SELECT a.device_kind AS \"device\", count(*) AS attempts, sum(a.outcome = 'finished') AS finished, "
        "sum(a.outcome <> 'finished') AS \"failed or stopped\", round(sum(a.seconds) / 3600, 3) AS hours, "
        "round(sum(CASE WHEN a.outcome <> 'finished' THEN a.seconds END) / 3600, 3) AS \"hours lost\", "
        "round(sum(a.train_seconds) / 3600, 3) AS \"hours of training\", "
        "round(sum(a.explain_seconds) / 3600, 3) AS \"hours of explaining\" "
        "FROM sweep_jobs AS s JOIN attempts AS a USING (job_id) WHERE s.sweep_id = ? AND s.is_stale = 0 "
        "GROUP BY a.device_kind ORDER BY 1",
        {page.selection.sweep_id});
    if (table.rows.empty()) return "";
    table.caption = "Attempts and device hours of the sweep's jobs";
    return html_table(table, "cost-table");
}

std::string provenance_html(const PageData& page) {
    const std::vector<SqlValue> lists(page.selection.fold_lists.begin(), page.selection.fold_lists.end());
    const std::vector<std::string> marks(lists.size(), "?");
    Table table = query_table(
        page.store,
        fmt::format("SELECT k AS folds, assign, seed, validation, label_set AS \"label set\", count(*) AS lists, "
                    "round(avg(n_train)) AS \"training records\", round(avg(n_validation)) AS \"validation records\", "
                    "round(avg(n_test)) AS \"tested records\", substr(data_digest, 1, 16) AS \"data digest\" "
                    "FROM folds WHERE lists_digest IN ({}) GROUP BY 1, 2, 3, 4, 5, 10 ORDER BY 1, 2, 3, 4, 5, 10",
                    fmt::join(marks, ",")),
        lists);
    table.caption = "Folds; records are means over folds";
    std::string html = table.rows.empty() ? "" : html_table(table, "fold-table");
    const auto sweep = page.store
                           .ask("SELECT yaml, revision, created_utc, registered_utc FROM sweeps WHERE sweep_id = ?",
                                {page.selection.sweep_id})
                           .rows.at(0);
    std::vector<std::int64_t> ids;
    for (const SelectedJob& job : page.selection.jobs) ids.push_back(job.job_id);
    html += fmt::format(
        "<p>Sweep <code>{}</code>, revision {}, first registered {}, last {}. Jobs {}. Results digest "
        "<code>{}</code>.</p>\n",
        html_escaped(page.selection.sweep), as_integer(sweep[1]).value_or(0), html_escaped(as_text(sweep[2])),
        html_escaped(as_text(sweep[3])), ranges_text(ids), page.digest);
    for (const auto& note : page.selection.notes) html += "<p>" + html_escaped(note) + "</p>\n";
    return html + "<details><summary>The sweep file</summary>\n<pre>" + html_escaped(as_text(sweep[0])) +
           "</pre>\n</details>\n";
}

}  // namespace leadsweep

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

/// A selection with the jobs of some cells alone, for tables that would be endless otherwise.
Selection narrowed(const PageData& page, const std::vector<std::size_t>& cells) {
    Selection selection = page.selection;
    selection.jobs.clear();
    for (const std::size_t cell : cells)
        for (const std::size_t index : page.groups[cell].job_indices)
            selection.jobs.push_back(page.selection.jobs[index]);
    std::sort(selection.jobs.begin(), selection.jobs.end(),
              [](const SelectedJob& a, const SelectedJob& b) { return a.job_id < b.job_id; });
    return selection;
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
    if (std::find(page.metrics.begin(), page.metrics.end(), "accuracy") == page.metrics.end()) return "";
    if (page.store.ask("SELECT 1 FROM metrics WHERE name = 'accuracy_all_negative' LIMIT 1").rows.empty()) return "";
    const FigureValues silent = load_figure(page.store, page.selection.sweep_id, {"", "accuracy_all_negative", ""});
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

std::vector<std::string> known_metrics(const ReadStore& store, const Selection& selection) {
    std::vector<std::string> known;
    const auto attempt = std::find_if(selection.jobs.begin(), selection.jobs.end(),
                                      [](const SelectedJob& job) { return job.attempt_id != 0; });
    if (attempt == selection.jobs.end()) return known;
    std::vector<std::string> there;
    for (const auto& row :
         store
             .ask("SELECT name FROM metrics WHERE attempt_id = ? AND split = 'test' AND class_code = ''",
                  {attempt->attempt_id})
             .rows)
        there.push_back(as_text(row[0]));
    for (const char* name : kMetrics)
        if (std::find(there.begin(), there.end(), name) != there.end()) known.emplace_back(name);
    return known;
}

}  // namespace

PageData load_page(const ReadStore& store, const PageRequest& request) {
    PageData page{store, request.work_folder, select_jobs(store, request.filter), {}, {}, {}, {}, ""};
    page.layout = lay_out(page.selection, {}, "");
    page.groups = groups_of(page.selection, page.layout);
    page.metrics = known_metrics(store, page.selection);
    page.by_merit.resize(page.groups.size());
    std::iota(page.by_merit.begin(), page.by_merit.end(), std::size_t{0});
    if (!page.metrics.empty()) {
        const FigureValues values = load_figure(store, page.selection.sweep_id, {"", page.metrics.front(), ""});
        std::vector<double> merit;
        for (const Group& group : page.groups)
            merit.push_back(summarize(values_of(fold_values(page.selection, group, values))).mean.value_or(-1e300));
        std::stable_sort(page.by_merit.begin(), page.by_merit.end(),
                         [&](std::size_t a, std::size_t b) { return merit[a] > merit[b]; });
    }
    page.digest = results_digest(store, page.selection);
    return page;
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
                html_escaped(in_words(judge(page.store, page.selection, page.groups, metric), page.layout)) + "</p>\n";
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
    Table table = value_table(page.store, request, selection, layout);
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
    std::string html;
    for (const char* metric : {"auroc", "f1"}) {
        if (page.store.ask("SELECT 1 FROM metrics WHERE name = ? AND class_code <> '' LIMIT 1", {std::string(metric)})
                .rows.empty())
            continue;
        TableRequest request;
        request.metrics = {metric};
        request.per_class = true;
        Table table = class_table(page.store, request, selection, layout);
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
    Table table = query_table(
        page.store,
        "SELECT f.k AS folds, f.assign, f.seed, f.validation, f.label_set AS \"label set\", count(*) AS lists, "
        "round(avg(f.n_train)) AS \"training records\", round(avg(f.n_validation)) AS \"validation records\", "
        "round(avg(f.n_test)) AS \"tested records\", substr(f.data_digest, 1, 16) AS \"data digest\" FROM folds AS f "
        "WHERE "
        "f.lists_digest IN (SELECT j.lists_digest FROM sweep_jobs AS s JOIN jobs AS j USING (job_id) WHERE s.sweep_id "
        "= ? "
        "AND s.is_stale = 0) GROUP BY 1, 2, 3, 4, 5, 10 ORDER BY 1, 2, 3, 4, 5, 10",
        {page.selection.sweep_id});
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

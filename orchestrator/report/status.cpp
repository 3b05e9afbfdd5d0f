#include "orchestrator/report/status.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/query.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

void require_sweep(const ReadStore& store, const std::string& sweep) {
    if (sweep.empty()) return;
    std::vector<std::string> known;
    for (const auto& row : store.ask("SELECT name FROM sweeps ORDER BY name").rows) known.push_back(as_text(row[0]));
    if (std::find(known.begin(), known.end(), sweep) != known.end()) return;
    throw InputError(fmt::format("the database has no sweep '{}'{}; it has {}", sweep, suggestion(sweep, known),
                                 fmt::join(known, ", ")));
}

}  // namespace

Table state_table(const ReadStore& store, const std::string& sweep) {
    require_sweep(store, sweep);
    Table table = query_table(
        store,
        "WITH used AS (SELECT job_id, count(*) AS attempts, sum(seconds) AS seconds FROM attempts GROUP BY job_id) "
        "SELECT s.name AS sweep, "
        "sum(x.is_stale = 0 AND j.state = 'waiting') AS waiting, sum(x.is_stale = 0 AND j.state = 'running') AS "
        "running, "
        "sum(x.is_stale = 0 AND j.state = 'finished') AS finished, sum(x.is_stale = 0 AND j.state = 'failed') AS "
        "failed, "
        "sum(x.is_stale = 0 AND j.state = 'invalid') AS invalid, "
        "sum(x.is_stale = 0 AND j.state = 'cancelled') AS cancelled, sum(x.is_stale) AS stale, "
        "coalesce(sum(u.attempts), 0) AS attempts, round(coalesce(sum(u.seconds), 0) / 3600, 2) AS hours "
        "FROM sweeps AS s JOIN sweep_jobs AS x USING (sweep_id) JOIN jobs AS j USING (job_id) LEFT JOIN used AS u "
        "USING (job_id) WHERE ?1 = '' OR s.name = ?1 GROUP BY s.sweep_id ORDER BY s.registered_utc DESC, s.sweep_id "
        "DESC",
        {sweep});
    table.caption = "Jobs by state";
    return table;
}

Table failure_table(const ReadStore& store, const std::string& sweep, std::int64_t limit) {
    const SqlResult answer = store.ask(
        "SELECT f.job_id, f.attempt, f.class, j.state, f.message, f.node, f.log, count(*) OVER () AS total "
        "FROM failures AS f JOIN jobs AS j USING (job_id) WHERE ?1 = '' OR f.job_id IN (SELECT x.job_id FROM "
        "sweep_jobs "
        "AS x JOIN sweeps AS s USING (sweep_id) WHERE s.name = ?1) ORDER BY f.attempt DESC LIMIT ?2",
        {sweep, limit});
    Table table;
    table.caption = sweep.empty() ? "Failed attempts" : fmt::format("Failed attempts of sweep {}", sweep);
    table.columns = {{"job", Alignment::kRight},
                     {"attempt", Alignment::kRight},
                     {"class"},
                     {"job is now"},
                     {"message"},
                     {"node"},
                     {"log"}};
    for (const auto& row : answer.rows) {
        auto& cells = table.rows.emplace_back();
        for (std::size_t c = 0; c < table.columns.size(); ++c) cells.push_back(cell_of(row[c]));
    }
    const std::int64_t total = answer.rows.empty() ? 0 : as_integer(answer.rows[0].back()).value_or(0);
    if (total > static_cast<std::int64_t>(table.rows.size()))
        table.notes.push_back(fmt::format("The latest {} of {}.", table.rows.size(), total));
    return table;
}

}  // namespace leadsweep

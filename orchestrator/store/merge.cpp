// Joining two databases: rows get new numbers, attempts remember where they came from.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/store/result_store_state.hpp"

namespace leadsweep {
namespace {

/// Which database an attempt came from first, its number there, and its time: a copied database goes its own way.
std::string origin_in(const char* database) {
    return fmt::format(
        "coalesce(a.origin, (SELECT database_id FROM {}.identity) || '/' || a.attempt_id || '/' || a.started_utc)",
        database);
}

constexpr const char* kMappings =
    "CREATE TEMP TABLE IF NOT EXISTS sweep_map (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL, revision INTEGER "
    "NOT "
    "NULL);"
    "CREATE TEMP TABLE IF NOT EXISTS job_map (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL, is_new INTEGER NOT "
    "NULL);"
    "CREATE TEMP TABLE IF NOT EXISTS attempt_map (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL);"
    "CREATE TEMP TABLE IF NOT EXISTS known_attempts (origin TEXT PRIMARY KEY) WITHOUT ROWID;"
    "DELETE FROM sweep_map; DELETE FROM job_map; DELETE FROM attempt_map; DELETE FROM known_attempts;";

class Merge {
public:
    Merge(Connection& db, const std::string& other_path, const ResultStore::BringFile& bring)
        : db_(db), other_path_(other_path), bring_(bring) {}

    MergeReport run() {
        db_.execute(kMappings);
        add_folds();
        add_jobs();
        add_sweeps();
        require_same_points();
        add_attempts();
        set_states();
        bring_files();
        return report_;
    }

private:
    void add_folds() {
        db_.execute(
            "INSERT OR IGNORE INTO main.folds SELECT * FROM other.folds;"
            "INSERT OR IGNORE INTO main.classes SELECT * FROM other.classes;");
    }

    void add_jobs() {
        const std::int64_t last = db_.integer("SELECT max(job_id) FROM main.jobs").value_or(0);
        report_.jobs = db_.run(
            "INSERT INTO main.jobs (key, train_key, point, group_id, lists_digest, created_utc, fold, sampling_hz, "
            "loss, "
            "model, seed, is_leaky, spec) SELECT key, train_key, point, group_id, lists_digest, created_utc, fold, "
            "sampling_hz, loss, model, seed, is_leaky, spec FROM other.jobs WHERE true ORDER BY job_id "
            "ON CONFLICT (key) DO NOTHING");
        db_.run(
            "INSERT INTO job_map SELECT t.job_id, o.job_id, o.job_id > ? FROM other.jobs AS t JOIN main.jobs AS o "
            "USING "
            "(key)",
            last);
    }

    /// The text registered last is the sweep's; the jobs of both belong to it.
    void add_sweeps() {
        db_.execute(
            "INSERT INTO sweep_map SELECT t.sweep_id, o.sweep_id, CASE WHEN t.hash = o.hash THEN o.revision "
            "WHEN t.registered_utc > o.registered_utc THEN o.revision + 1 ELSE 0 END "
            "FROM other.sweeps AS t JOIN main.sweeps AS o USING (name);"
            "UPDATE main.sweeps AS o SET yaml = t.yaml, hash = t.hash, plan_digest = t.plan_digest, "
            "revision = o.revision + 1, registered_utc = t.registered_utc FROM other.sweeps AS t "
            "WHERE t.name = o.name AND t.hash <> o.hash AND t.registered_utc > o.registered_utc;"
            "INSERT INTO main.sweeps (name, yaml, hash, plan_digest, revision, created_utc, registered_utc) "
            "SELECT name, yaml, hash, plan_digest, revision, created_utc, registered_utc FROM other.sweeps "
            "WHERE sweep_id NOT IN (SELECT theirs FROM sweep_map) ORDER BY sweep_id;"
            "INSERT OR IGNORE INTO sweep_map SELECT t.sweep_id, o.sweep_id, -1 FROM other.sweeps AS t "
            "JOIN main.sweeps AS o USING (name);"
            "INSERT INTO main.sweep_jobs (sweep_id, job_id, revision, is_stale, position) "
            "SELECT s.ours, j.ours, CASE WHEN s.revision < 0 THEN x.revision WHEN x.revision = t.revision THEN "
            "s.revision ELSE 0 END, x.is_stale, x.position "
            "FROM other.sweep_jobs AS x JOIN other.sweeps AS t USING (sweep_id) JOIN sweep_map AS s ON s.theirs = "
            "x.sweep_id "
            "JOIN job_map AS j ON j.theirs = x.job_id WHERE true ORDER BY j.ours ON CONFLICT DO UPDATE SET "
            "position = iif(excluded.revision > revision, excluded.position, position), "
            "is_stale = iif(excluded.revision > revision, excluded.is_stale, is_stale), "
            "revision = max(revision, excluded.revision);"
            // A point that a later text lists under another key.
            "UPDATE main.sweep_jobs AS x SET is_stale = 1 WHERE x.sweep_id IN (SELECT ours FROM sweep_map) "
            "AND EXISTS (SELECT 1 FROM main.jobs AS mine JOIN main.jobs AS later ON later.point = mine.point AND "
            "later.key <> mine.key JOIN main.sweep_jobs AS y ON y.job_id = later.job_id AND y.sweep_id = x.sweep_id "
            "WHERE mine.job_id = x.job_id AND y.is_stale = 0 AND y.revision > x.revision);");
    }

    void require_same_points() {
        std::vector<std::string> problems;
        db_.each(
            "SELECT s.name, count(*) FROM main.sweep_jobs AS x JOIN main.sweeps AS s USING (sweep_id) "
            "JOIN main.jobs AS a ON a.job_id = x.job_id JOIN main.jobs AS b ON b.point = a.point AND b.key > a.key "
            "JOIN main.sweep_jobs AS y ON y.job_id = b.job_id AND y.sweep_id = x.sweep_id "
            "WHERE x.is_stale = 0 AND y.is_stale = 0 GROUP BY s.sweep_id ORDER BY s.name",
            [&](SQLite::Statement& row) {
                problems.push_back(fmt::format(
                    "{}: {} jobs of sweep '{}' have the same settings as jobs here, but other records or another "
                    "version "
                    "of the program: they are not the same experiments. Run them again with the same records and "
                    "version, or merge into a database of their own",
                    other_path_, row.getColumn(1).getInt64(), row.getColumn(0).getString()));
            });
        if (!problems.empty()) throw InputError(problems);
    }

    void add_attempts() {
        const std::string from = fmt::format(
            " FROM other.attempts AS a JOIN job_map AS m ON m.theirs = a.job_id WHERE a.outcome IS NOT NULL "
            "AND {} NOT IN (SELECT origin FROM known_attempts)",
            origin_in("other"));
        db_.execute(fmt::format("INSERT INTO known_attempts SELECT {} FROM main.attempts AS a", origin_in("main")));
        const std::string is_second =
            " AND a.outcome = 'finished' AND (SELECT state FROM main.jobs AS j WHERE j.job_id = m.ours) = 'finished'";
        report_.results_twice = db_.integer("SELECT count(*)" + from + is_second).value_or(0);
        const std::int64_t first =
            db_.integer("SELECT value FROM main.counters WHERE name = 'next_attempt_id'").value_or(1);
        report_.attempts =
            db_.run(fmt::format("INSERT INTO attempt_map SELECT a.attempt_id, {} + row_number() OVER "
                                "(ORDER BY a.attempt_id) - 1{} AND NOT (true{})",
                                first, from, is_second));
        db_.run("UPDATE main.counters SET value = value + ? WHERE name = 'next_attempt_id'", report_.attempts);
        const std::string columns = columns_of("attempts", {"attempt_id", "job_id", "folder", "origin"});
        db_.execute(fmt::format(
            "INSERT INTO main.attempts (attempt_id, job_id, folder, origin, {0}) SELECT n.ours, m.ours, "
            "j.key || '/' || n.ours, {1}, {0} FROM other.attempts AS a JOIN attempt_map AS n ON n.theirs = "
            "a.attempt_id "
            "JOIN job_map AS m ON m.theirs = a.job_id JOIN main.jobs AS j ON j.job_id = m.ours ORDER BY n.ours",
            columns, origin_in("other")));
        for (const std::string& table : tables_of_attempts()) {
            const std::string rest = columns_of(table, {"attempt_id"});
            db_.execute(
                fmt::format("INSERT INTO main.{0} (attempt_id, {1}) SELECT n.ours, {1} FROM other.{0} AS a JOIN "
                            "attempt_map AS n ON n.theirs = a.attempt_id",
                            table, rest));
        }
    }

    /// All that have rows of attempts, those of later versions as well.
    std::vector<std::string> tables_of_attempts() {
        std::vector<std::string> tables;
        db_.each(
            "SELECT t.name FROM main.sqlite_schema AS t WHERE t.type = 'table' AND t.name NOT IN ('attempts', "
            "'events') "
            "AND EXISTS (SELECT 1 FROM pragma_table_info(t.name, 'main') WHERE name = 'attempt_id') ORDER BY t.name",
            [&](SQLite::Statement& row) { tables.push_back(row.getColumn(0).getString()); });
        return tables;
    }

    std::string columns_of(const std::string& table, const std::vector<std::string>& without) {
        std::string list;
        db_.each(
            "SELECT name FROM pragma_table_info(?, 'main')",
            [&](SQLite::Statement& row) {
                const std::string name = row.getColumn(0).getString();
                if (std::find(without.begin(), without.end(), name) == without.end())
                    list += (list.empty() ? "" : ", ") + name;
            },
            table);
        return list;
    }

    void set_states() {
        report_.results = db_.run(
            "UPDATE main.jobs AS j SET state = 'finished', winning_attempt_id = n.ours, last_outcome = NULL "
            "FROM other.jobs AS t JOIN job_map AS m ON m.theirs = t.job_id "
            "JOIN attempt_map AS n ON n.theirs = t.winning_attempt_id WHERE m.ours = j.job_id AND j.state <> "
            "'finished'");
        // How it ended there, for jobs of which nothing was known, or that were tried there since.
        db_.execute(
            "UPDATE main.jobs AS j SET state = t.state, last_outcome = t.last_outcome, "
            "attempts_used = j.attempts_used + t.attempts_used FROM other.jobs AS t JOIN job_map AS m ON "
            "m.theirs = t.job_id WHERE m.ours = j.job_id AND j.state = 'waiting' AND t.state <> 'finished' "
            "AND (EXISTS (SELECT 1 FROM attempt_map AS n JOIN other.attempts AS a ON a.attempt_id = n.theirs "
            "WHERE a.job_id = t.job_id) OR (j.last_outcome IS NULL AND j.attempts_used = 0 AND t.state <> 'waiting' "
            "AND "
            "NOT EXISTS (SELECT 1 FROM main.attempts AS o WHERE o.job_id = j.job_id)))");
    }

    void bring_files() {
        db_.each(
            "SELECT a.folder || '/' || f.path, o.folder || '/' || f.path FROM attempt_map AS n JOIN other.attempts AS "
            "a "
            "ON a.attempt_id = n.theirs JOIN main.attempts AS o ON o.attempt_id = n.ours JOIN other.artifacts AS f ON "
            "f.attempt_id = n.theirs ORDER BY n.ours, f.path",
            [&](SQLite::Statement& row) { bring_(row.getColumn(0).getString(), row.getColumn(1).getString()); });
        db_.each(
            "WITH used AS (SELECT path, data_digest FROM other.folds WHERE lists_digest IN (SELECT lists_digest FROM "
            "other.jobs WHERE state = 'finished')) "
            "SELECT path FROM used UNION SELECT 'catalogues/' || data_digest || '.jsonl' FROM used ORDER BY 1",
            [&](SQLite::Statement& row) { bring_(row.getColumn(0).getString(), row.getColumn(0).getString()); });
    }

    Connection& db_;
    std::string other_path_;
    const ResultStore::BringFile& bring_;
    MergeReport report_;
};

/// The other database stays attached, and locked, as long as this lives.
class Attached {
public:
    Attached(Connection& db, const std::string& path) : db_(db), lock_(path) {
        db_.run("ATTACH DATABASE ? AS other", path);
    }
    ~Attached() { db_.database().tryExec("DETACH DATABASE other"); }
    Attached(const Attached&) = delete;
    Attached& operator=(const Attached&) = delete;

private:
    Connection& db_;
    StoreLock lock_;
};

}  // namespace

MergeReport ResultStore::merge_from(const std::string& other_path, const BringFile& bring) {
    {
        ResultStore other = open(other_path, {OpenMode::kExisting, {}});  // migrates it
        other.requeue_running();
    }
    const std::lock_guard guard(state_->mutex);
    state_->require_no_transaction("merge_from");
    Connection& db = *state_->connection;
    const Attached attached(db, other_path);
    MergeReport report;
    in_transaction([&] {
        report = Merge(db, other_path, bring).run();
        const nlohmann::json detail = {{"from", other_path},
                                       {"jobs", report.jobs},
                                       {"attempts", report.attempts},
                                       {"results", report.results},
                                       {"results_twice", report.results_twice}};
        record_event({"merged", fmt::format("{} results of {}", report.results, other_path), {}, {}, detail.dump()});
    });
    return report;
}

}  // namespace leadsweep

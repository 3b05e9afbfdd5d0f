// Registering a sweep: its text, its jobs, their folds; and what earlier runs left of them.
#include <nlohmann/json.hpp>

#include "orchestrator/store/result_store_state.hpp"

namespace leadsweep {
namespace {

constexpr std::string_view kInsertJob =
    "INSERT INTO jobs (key, train_key, point, group_id, lists_digest, created_utc, spec, "
    "fold, sampling_hz, loss, model, seed, is_leaky) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, json_extract(?7, '$.fold'), json_extract(?7, '$.sampling_hz'), "
    "json_extract(?7, '$.loss'), json_extract(?7, '$.model.name'), json_extract(?7, '$.seed'), "
    "json_extract(?7, '$.folds.validation') = 'tested') "
    "ON CONFLICT (key) DO NOTHING";

/// What is outside of a job's key (where its records lie, where it runs) follows the latest sweep that lists it; how a
/// finished job was run stays, unless it is now another point.
constexpr std::string_view kUpdateJob =
    "UPDATE jobs SET point = ?1, group_id = ?2, spec = ?3, fold = json_extract(?3, '$.fold'), "
    "is_leaky = json_extract(?3, '$.folds.validation') = 'tested' "
    "WHERE job_id = ?4 AND (point <> ?1 OR (state <> 'finished' AND spec <> ?3))";

}  // namespace

SweepId ResultStore::register_sweep(const std::string& name, const std::string& yaml, const std::string& hash,
                                    const std::string& plan_digest) {
    SweepId sweep;
    state_->transaction([&] {
        Connection& db = *state_->connection;
        const std::string now = utc_now();
        db.each(
            "SELECT hash, yaml, revision FROM sweeps WHERE name = ?",
            [&](SQLite::Statement& row) {
                if (text_of(row.getColumn(0)) == hash) return;
                const nlohmann::json earlier = {{"sweep", name},
                                                {"hash", row.getColumn(0).getString()},
                                                {"yaml", row.getColumn(1).getString()},
                                                {"revision", row.getColumn(2).getInt64()}};
                record_event(
                    {"sweep_changed", "sweep " + name + " has another text than before", {}, {}, earlier.dump()});
            },
            name);
        db.run(
            "INSERT INTO sweeps (name, yaml, hash, plan_digest, revision, created_utc, registered_utc) "
            "VALUES (?, ?, ?, ?, 1, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET yaml = excluded.yaml, hash = excluded.hash, "
            "plan_digest = excluded.plan_digest, revision = revision + 1, registered_utc = excluded.registered_utc",
            name, yaml, hash, plan_digest, now, now);
        sweep.value = static_cast<std::uint64_t>(*db.integer("SELECT sweep_id FROM sweeps WHERE name = ?", name));
    });
    return sweep;
}

std::optional<std::vector<JobId>> ResultStore::registered_jobs(const std::string& name, const std::string& hash,
                                                               const std::string& plan_digest) {
    const std::lock_guard guard(state_->mutex);
    std::optional<std::vector<JobId>> jobs;
    const auto sweep = state_->connection->integer(
        "SELECT sweep_id FROM sweeps WHERE name = ? AND hash = ? AND plan_digest = ?", name, hash, plan_digest);
    if (!sweep) return jobs;
    jobs.emplace();
    state_->connection->each(
        "SELECT j.job_id FROM sweep_jobs AS j JOIN sweeps AS s USING (sweep_id) "
        "WHERE j.sweep_id = ? AND j.revision = s.revision ORDER BY j.position",
        [&](SQLite::Statement& row) { jobs->push_back({static_cast<std::uint64_t>(row.getColumn(0).getInt64())}); },
        *sweep);
    return jobs;
}

std::vector<JobId> ResultStore::upsert_jobs(SweepId sweep, std::span<const JobRow> jobs) {
    return upsert_jobs(sweep, jobs.size(), [&](std::size_t job) { return jobs[job]; });
}

std::vector<JobId> ResultStore::upsert_jobs(SweepId sweep, std::size_t count,
                                            const std::function<JobRow(std::size_t)>& row_of) {
    std::vector<JobId> ids;
    ids.reserve(count);
    state_->transaction([&] {
        Connection& db = *state_->connection;
        const std::string now = utc_now();
        const std::int64_t revision = db.integer("SELECT revision FROM sweeps WHERE sweep_id = ?", sweep).value_or(0);
        for (std::size_t position = 0; position < count; ++position) {
            const JobRow job = row_of(position);
            const bool is_new = db.run(kInsertJob, job.keys.key, job.keys.train_key, job.keys.point, job.keys.group,
                                       job.lists_digest, now, job.spec) > 0;
            std::int64_t id = db.database().getLastInsertRowid();
            if (!is_new) {
                id = *db.integer("SELECT job_id FROM jobs WHERE key = ?", job.keys.key);
                db.run(kUpdateJob, job.keys.point, job.keys.group, job.spec, id);
            }
            db.run(
                "INSERT INTO sweep_jobs (sweep_id, job_id, revision, position) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET revision = excluded.revision, position = excluded.position, is_stale = 0",
                sweep, id, revision, static_cast<std::int64_t>(position));
            ids.push_back({static_cast<std::uint64_t>(id)});
        }
        if (revision > 1)
            db.run(
                "UPDATE sweep_jobs SET is_stale = 1 WHERE sweep_id = ?1 AND revision < ?2 AND job_id IN (SELECT "
                "o.job_id "
                "FROM jobs AS o WHERE o.point IN (SELECT n.point FROM sweep_jobs AS x JOIN jobs AS n USING (job_id) "
                "WHERE x.sweep_id = ?1 AND x.revision = ?2))",
                sweep, revision);
    });
    return ids;
}

void ResultStore::record_folds(std::span<const FoldRow> folds) {
    state_->transaction([&] {
        for (const FoldRow& f : folds)
            state_->connection->run("INSERT OR REPLACE INTO folds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                    f.lists_digest, f.data_digest, f.label_set, f.fold, f.k, f.assign, f.seed,
                                    f.validation, f.is_leaky, f.n_train, f.n_validation, f.n_test, f.path);
    });
}

void ResultStore::record_classes(const LabelSet& set) {
    state_->transaction([&] { store_classes(*state_->connection, set); });
}

std::vector<StoredJob> ResultStore::load_states(std::span<const JobId> jobs) {
    std::vector<StoredJob> states(jobs.size());
    state_->transaction([&] {
        Connection& db = *state_->connection;
        // Rows of jobs are long. The index knows which are finished, mostly all of them, and is read in one go.
        std::vector<bool> is_finished(static_cast<std::size_t>(db.integer("SELECT max(job_id) FROM jobs").value_or(0)) + 1);
        db.each("SELECT job_id FROM jobs INDEXED BY jobs_finished WHERE state = 'finished'", [&](SQLite::Statement& row) {
            is_finished[static_cast<std::size_t>(row.getColumn(0).getInt64())] = true;
        });
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            if (jobs[i].value < is_finished.size() && is_finished[jobs[i].value]) {
                states[i].state = JobState::kFinished;
                continue;
            }
            db.each(
                "SELECT state, attempts_used, last_outcome FROM jobs WHERE job_id = ?",
                [&](SQLite::Statement& row) {
                    states[i].state = job_state_from(text_of(row.getColumn(0))).value_or(JobState::kWaiting);
                    states[i].attempts_used = row.getColumn(1).getInt64();
                    if (!row.isColumnNull(2)) states[i].last_failure = failure_class_from(text_of(row.getColumn(2)));
                },
                jobs[i]);
        }
    });
    return states;
}

}  // namespace leadsweep

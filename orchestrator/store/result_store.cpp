#include "orchestrator/store/result_store.hpp"

#include <chrono>
#include <ctime>
#include <filesystem>
#include <stdexcept>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/store/result_rows.hpp"
#include "orchestrator/store/result_store_state.hpp"
#include "shared/core/files.hpp"

namespace leadsweep {
namespace {

JobState state_after(FailureClass failure, bool is_final) {
    if (!is_final) return JobState::kWaiting;
    if (failure == FailureClass::kInvalid) return JobState::kInvalid;
    if (failure == FailureClass::kCancelled) return JobState::kCancelled;
    return JobState::kFailed;
}

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

ResultStore::ResultStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ResultStore::ResultStore(ResultStore&&) noexcept = default;
ResultStore::~ResultStore() = default;

ResultStore ResultStore::open(const std::string& path, StoreOptions options) {
    prepare_file(path, options.mode);
    return ResultStore(std::make_unique<State>(path, options));
}

void ResultStore::in_transaction(const std::function<void()>& work) {
    state_->transaction(work);
}

const std::string& ResultStore::path() const {
    return state_->connection->path();
}
bool ResultStore::needs_snapshots() const {
    return state_->is_on_network;
}

std::int64_t ResultStore::requeue_running() {
    std::int64_t count = 0;
    state_->transaction([&] {
        Connection& db = *state_->connection;
        count = db.run(
            "UPDATE attempts SET outcome = 'interrupted', ended_utc = ?, message = 'the coordinator ended before the "
            "attempt did' WHERE outcome IS NULL",
            utc_now());
        db.run("UPDATE jobs SET state = 'waiting', last_outcome = 'interrupted' WHERE state = 'running'");
    });
    return count;
}

AttemptIds ResultStore::reserve_attempt_ids(std::uint64_t count) {
    const std::lock_guard guard(state_->mutex);
    state_->require_no_transaction("reserve_attempt_ids");
    AttemptIds ids{{}, count};
    state_->transaction([&] {
        Connection& db = *state_->connection;
        ids.first.value =
            static_cast<std::uint64_t>(*db.integer("SELECT value FROM counters WHERE name = 'next_attempt_id'"));
        db.run("UPDATE counters SET value = value + ? WHERE name = 'next_attempt_id'",
               static_cast<std::int64_t>(count));
    });
    return ids;
}

void ResultStore::record_attempt_started(const AttemptStart& s) {
    state_->transaction([&] {
        Connection& db = *state_->connection;
        db.run(
            "INSERT INTO attempts (attempt_id, job_id, node, worker, device_kind, device, folder, started_utc, "
            "log_path, "
            "log_offset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            s.attempt, s.job, s.node, s.worker, s.device_kind, s.device, s.folder, utc_now(), unless_empty(s.log_path),
            s.log_offset);
        db.run("UPDATE jobs SET state = 'running' WHERE job_id = ? AND state <> 'finished'", s.job);
    });
}

void ResultStore::record_checkpoint(const SavedCheckpoint& checkpoint) {
    state_->transaction([&] {
        state_->connection->run(
            "UPDATE attempts SET checkpoint_epoch = ?, checkpoint_digest = ? WHERE attempt_id = ? AND outcome IS NULL",
            checkpoint.epoch, checkpoint.digest, checkpoint.attempt);
    });
}

bool ResultStore::record_finished(AttemptId attempt, const JobResult& r, const AttemptEnd& end) {
    bool is_counted = false;
    state_->transaction([&] {
        Connection& db = *state_->connection;
        const auto job = db.integer("SELECT job_id FROM attempts WHERE attempt_id = ? AND outcome IS NULL", attempt);
        if (!job) return;
        is_counted = db.run(
                         "UPDATE jobs SET state = 'finished', winning_attempt_id = ?, last_outcome = NULL "
                         "WHERE job_id = ? AND state <> 'finished'",
                         attempt, *job) > 0;
        if (!is_counted) {
            db.run(
                "UPDATE attempts SET outcome = 'cancelled', ended_utc = ?, seconds = ?, log_length = ?, "
                "message = 'another attempt had finished the job' WHERE attempt_id = ?",
                utc_now(), end.seconds, end.log_length, attempt);
            return;
        }
        const auto notes = r.notes.empty() ? std::nullopt : std::optional(nlohmann::json(r.notes).dump());
        db.run(
            "UPDATE attempts SET outcome = 'finished', ended_utc = ?, seconds = ?, log_length = ?, n_train = ?, "
            "n_validation = ?, n_test = ?, n_classes = ?, train_seconds = ?, explain_seconds = ?, is_reused = ?, notes "
            "= ? "
            "WHERE attempt_id = ?",
            utc_now(), end.seconds, end.log_length, r.n_train, r.n_validation, r.n_test, r.n_classes, r.train_seconds,
            r.explain_seconds, r.is_reused, notes, attempt);
        insert_result_rows(db, attempt, r);
    });
    return is_counted;
}

bool ResultStore::record_failed(AttemptId attempt, FailureClass failure, const std::string& message, bool is_final,
                                const AttemptEnd& end) {
    bool is_counted = false;
    state_->transaction([&] {
        Connection& db = *state_->connection;
        const std::string_view name = to_string(failure);
        is_counted = db.run(
                         "UPDATE attempts SET outcome = ?, message = ?, ended_utc = ?, seconds = ?, log_length = ? "
                         "WHERE attempt_id = ? AND outcome IS NULL",
                         name, message, utc_now(), end.seconds, end.log_length, attempt) > 0;
        if (!is_counted) return;
        db.run(
            "UPDATE jobs SET state = ?, last_outcome = ?, attempts_used = attempts_used + ? "
            "WHERE job_id = (SELECT job_id FROM attempts WHERE attempt_id = ?) AND state <> 'finished'",
            to_string(state_after(failure, is_final)), name, counts_against_job(failure), attempt);
    });
    return is_counted;
}

bool ResultStore::set_state(JobId job, JobState state) {
    if (state == JobState::kFinished || state == JobState::kRunning)
        throw std::logic_error("only an attempt makes a job running or finished");
    std::int64_t changed = 0;
    state_->transaction([&] {
        changed = state_->connection->run(
            "UPDATE jobs SET state = ?2, attempts_used = iif(?2 = 'waiting', 0, attempts_used) WHERE job_id = ?1 "
            "AND state <> 'finished' AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.job_id = ?1 AND a.outcome IS "
            "NULL)",
            job, to_string(state));
    });
    return changed > 0;
}

std::optional<JobState> ResultStore::state_of(JobId job) {
    const std::lock_guard guard(state_->mutex);
    const auto state = state_->connection->text("SELECT state FROM jobs WHERE job_id = ?", job);
    return state ? job_state_from(*state) : std::nullopt;
}

bool ResultStore::withdraw_result(JobId job, const std::string& reason) {
    bool is_withdrawn = false;
    state_->transaction([&] {
        Connection& db = *state_->connection;
        const auto attempt = db.integer("SELECT winning_attempt_id FROM jobs WHERE job_id = ?", job);
        if (!attempt) return;
        db.run("UPDATE jobs SET state = 'waiting', winning_attempt_id = NULL, attempts_used = 0 WHERE job_id = ?", job);
        db.run("UPDATE attempts SET outcome = 'invalid', message = ? WHERE attempt_id = ?",
               "its result was withdrawn: " + reason, *attempt);
        record_event({"result_withdrawn", reason, job, {static_cast<std::uint64_t>(*attempt)}, ""});
        is_withdrawn = true;
    });
    return is_withdrawn;
}

void ResultStore::record_event(const Event& event) {
    state_->transaction([&] {
        const auto some = [](auto id) { return id ? std::optional(id) : std::nullopt; };
        state_->connection->run(
            "INSERT INTO events (at_utc, kind, job_id, attempt_id, message, detail) VALUES (?, ?, ?, ?, ?, ?)",
            utc_now(), event.kind, some(event.job), some(event.attempt), event.message, unless_empty(event.detail));
    });
}

std::optional<TrainedModel> ResultStore::find_trained_model(const std::string& train_key) {
    const std::lock_guard guard(state_->mutex);
    std::optional<TrainedModel> model;
    state_->connection->each(
        "SELECT t.folder || '/' || a.path, a.digest, a.size_bytes FROM jobs AS j "
        "JOIN attempts AS t ON t.attempt_id = j.winning_attempt_id JOIN artifacts AS a ON a.attempt_id = t.attempt_id "
        "WHERE j.train_key = ? AND j.state = 'finished' AND a.kind = 'model' ORDER BY t.attempt_id DESC LIMIT 1",
        [&](SQLite::Statement& row) {
            model = {row.getColumn(0).getString(), row.getColumn(1).getString(), row.getColumn(2).getInt64()};
        },
        train_key);
    return model;
}

void ResultStore::write_copy(const std::string& path) {
    const std::lock_guard guard(state_->mutex);
    state_->require_no_transaction("write_copy");
    const std::string temporary = path + ".partial";
    std::filesystem::remove(temporary);
    create_private_file(temporary);
    state_->connection->run("VACUUM INTO ?", temporary);
    sync_file(temporary);
    std::error_code error;
    std::filesystem::rename(temporary, path, error);
    if (error) throw FileError(path, error.value(), "rename the copy");
    sync_folder(std::filesystem::absolute(path).parent_path());
}

std::string utc_now() {
    using namespace std::chrono;
    const auto now = floor<milliseconds>(system_clock::now());
    const auto second = floor<seconds>(now);
    // Thousands of rows are written in one second, and formatting a date takes longer than a row.
    thread_local std::time_t shown_second = -1;
    thread_local std::string shown;
    if (const std::time_t wanted = system_clock::to_time_t(second); wanted != shown_second) {
        std::tm parts{};
        gmtime_r(&wanted, &parts);
        shown = fmt::format("{:%Y-%m-%dT%H:%M:%S}", parts);
        shown_second = wanted;
    }
    return fmt::format("{}.{:03}Z", shown, (now - second).count());
}

}  // namespace leadsweep

#include <fmt/format.h>

#include "orchestrator/commands/asking.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/report/table.hpp"
#include "shared/job/job_state.hpp"

namespace leadsweep {
namespace {

/// The attempts of a job, and what became of each.
Table attempt_table(const ReadStore& store, const NamedJob& job) {
    Table table;
    table.columns = {{"attempt", Alignment::kRight}, {"outcome"}, {"counts"},  {"node"}, {"device"},
                     {"seconds", Alignment::kRight}, {"started"}, {"epoch saved", Alignment::kRight}, {"message"}, {"log"}};
    const auto rows = store
                          .ask(
                              "SELECT a.attempt_id, coalesce(a.outcome, 'running'), a.node, a.device, "
                              "round(a.seconds, 1), a.started_utc, coalesce(a.message, ''), "
                              "coalesce(a.log_path || ':' || a.log_offset || '+' || coalesce(a.log_length, ''), ''), "
                              "a.attempt_id = j.winning_attempt_id, a.checkpoint_epoch FROM attempts AS a JOIN jobs AS j USING (job_id) "
                              "WHERE a.job_id = ? ORDER BY a.attempt_id",
                              {static_cast<std::int64_t>(job.id.value)})
                          .rows;
    for (const auto& row : rows) {
        const std::string outcome = as_text(row[1]);
        const auto failure = failure_class_from(outcome);
        const bool is_winner = as_integer(row[8]).value_or(0) != 0;
        const std::string counts = is_winner ? "wins" : failure ? (counts_against_job(*failure) ? "yes" : "no") : "";
        table.rows.push_back({cell_of(row[0]), cell_of(outcome), cell_of(counts), cell_of(row[2]), cell_of(row[3]),
                              cell_of(row[4]), cell_of(row[5]), cell_of(row[9]), cell_of(row[6]), cell_of(row[7])});
    }
    return table;
}

/// Why the job is in the state that the database has, and what can be done.
std::string reason_of(const ReadStore& store, const NamedJob& job) {
    const auto id = static_cast<std::int64_t>(job.id.value);
    const auto row = store
                         .ask(
                             "SELECT coalesce(winning_attempt_id, 0), attempts_used, coalesce(last_outcome, ''), "
                             "json_extract(spec, '$.resources.max_attempts') FROM jobs WHERE job_id = ?",
                             {id})
                         .rows.at(0);
    // Who cancelled it says more than that it was.
    const auto event = store
                           .ask(
                               "SELECT message, at_utc FROM events WHERE job_id = ?1 ORDER BY kind = "
                               "'cancel_requested' AND ?2 = 'cancelled' DESC, event_id DESC LIMIT 1",
                               {id, job.state})
                           .rows;
    const std::string last_event =
        event.empty() ? "" : fmt::format(" ({}, {})", as_text(event[0][0]), as_text(event[0][1]));
    const std::string used =
        fmt::format("{} of {} attempts are used", as_integer(row[1]).value_or(0), as_integer(row[3]).value_or(0));
    if (job.state == "finished") return fmt::format("it is done: attempt {} has its result", *as_integer(row[0]));
    if (job.state == "failed")
        return fmt::format("it failed for good{}: {}; `leadsweep retry {}` tries it again",
                           as_text(row[2]).empty() ? last_event : " as " + as_text(row[2]), used, id);
    if (job.state == "invalid")
        return fmt::format("it cannot run as it is{}; mend its data or settings, then `leadsweep retry {}`", last_event,
                           id);
    if (job.state == "cancelled")
        return fmt::format("it was cancelled{}; `leadsweep retry {}` takes that back", last_event, id);
    if (as_text(row[2]).empty()) return fmt::format("it has not ended yet; {}{}", used, last_event);
    return fmt::format("its last attempt ended as {}; {}{}", as_text(row[2]), used, last_event);
}

/// What the running coordinator knows beyond the database.
std::string live_reason(const std::string& db, const NamedJob& job) {
    const auto state = job_state_from(job.state);
    if (state && is_terminal(*state)) return "";
    try {
        const auto reply = ask_running<WhyReply>(db, WhyRequest{job.id}, kQuestionTimeout_s);
        if (reply) return "Now: " + reply->reason + "\n";
    } catch (const InputError& error) {
        return fmt::format("Now: {}\n", error.what());
    }
    return fmt::format("Now: no sweep runs on this database; `leadsweep run` of sweep {} goes on with it\n", job.sweep);
}

}  // namespace

void add_why_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string name;
        Places places;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command =
        app.add_subcommand("why", "why a job is not running, why it was retried, which attempt has its result");
    command->add_option("JOB", options->name, "id, beginning of its key, or words of its label")->required();
    add_place_options(*command, options->places);
    command->footer(
        "Attempts that \"count\" are used up; those of lost nodes and interrupted sweeps are not.\n"
        "Examples:\n  leadsweep why 17\n  leadsweep why \"fold 2, loss bce\"");
    command->callback([options, &exit_code] {
        const std::string db = resolve_places(options->places).db;
        const ReadStore store = ReadStore::open(db);
        const NamedJob job = find_job(store, options->name);
        fmt::print("Job {} of sweep {}: {}\n  key {}, group {}\n  state {}: {}\n", job.id.value, job.sweep, job.label,
                   job.key.substr(0, 12), job.group.substr(0, 12), job.state, reason_of(store, job));
        fmt::print("{}", live_reason(db, job));
        const Table attempts = attempt_table(store, job);
        if (!attempts.rows.empty()) fmt::print("\n{}", render(attempts, TableFormat::kText));
        if (const auto age = store.snapshot_age_s())
            fmt::print("Read from a snapshot of {:.0f} s ago: the database is on a network file system.\n", *age);
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/commands/asking.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/coordinator/job_changes.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

struct RetryOptions {
    std::vector<std::string> names;
    std::string failure;
    bool is_all = false;
    Places places;
};

void require_failure_class(const std::string& name) {
    if (failure_class_from(name)) return;
    const std::vector<std::string> known{"crashed",   "killed",   "oom_host", "oom_device", "hung",
                                         "node_lost", "diverged", "invalid",  "cancelled",  "interrupted"};
    throw InputError(
        fmt::format("'{}' is no failure class{}; there are {}", name, suggestion(name, known), fmt::join(known, ", ")));
}

/// Jobs that ended without a result: all, or those whose last attempt, or state, is of this class.
std::vector<JobId> ended_jobs(const ReadStore& store, const std::string& failure) {
    std::vector<JobId> jobs;
    for (const auto& row : store
                               .ask("SELECT job_id FROM jobs WHERE state IN ('failed', 'invalid', 'cancelled') AND "
                                    "(?1 = '' OR state = ?1 OR (last_outcome = ?1 AND state <> 'cancelled'))",
                                    {failure})
                               .rows)
        jobs.push_back({static_cast<std::uint64_t>(as_integer(row[0]).value_or(0))});
    return jobs;
}

int retry(const RetryOptions& options) {
    const std::string db = resolve_places(options.places).db;
    RetryRequest request;
    {
        const ReadStore store = ReadStore::open(db);
        if (!options.names.empty())
            request.jobs = find_jobs(store, options.names);
        else
            request.jobs = ended_jobs(store, options.failure);
    }
    auto reply = ask_running<RetryReply>(db, request, kChangeTimeout_s);
    if (!reply) {
        ResultStore store = ResultStore::open(db, {OpenMode::kExisting, {}});
        store.requeue_running();
        reply = retry_stored(store, request.jobs, asker());
    }
    fmt::print(
        "to be tried again: {} ({} in the running sweep, {} at the next `leadsweep run` of theirs); {} had "
        "nothing to retry\n",
        reply->queued + reply->later, reply->queued, reply->later, reply->kept);
    return kExitDone;
}

}  // namespace

void add_retry_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<RetryOptions>();
    CLI::App* command = app.add_subcommand("retry", "try jobs again that failed, also while their sweep runs");
    auto* names =
        command->add_option("JOB", options->names, "jobs (id, beginning of a key, words of a label) or groups");
    auto* failure = command->add_option("--class", options->failure, "all jobs that failed with this class");
    auto* all = command->add_flag("--all", options->is_all, "all jobs that failed, are invalid, or were cancelled");
    names->excludes(failure)->excludes(all);
    failure->excludes(all);
    add_place_options(*command, options->places);
    command->footer(
        "Classes: crashed, killed, oom_host, oom_device, hung, diverged, invalid, cancelled.\n"
        "Examples:\n  leadsweep retry 17\n  leadsweep retry --class oom_device\n  leadsweep retry --all");
    command->callback([options, &exit_code] {
        if (options->names.empty() && options->failure.empty() && !options->is_all)
            throw InputError("which jobs? name them, or give --class CLASS or --all");
        if (!options->failure.empty()) require_failure_class(options->failure);
        exit_code = retry(*options);
    });
}

}  // namespace leadsweep

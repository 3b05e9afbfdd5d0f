#include <set>

#include <fmt/format.h>

#include "orchestrator/commands/asking.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/coordinator/job_changes.hpp"
#include "orchestrator/slurm/controller.hpp"
#include "orchestrator/slurm/submissions.hpp"

namespace leadsweep {
namespace {

struct CancelOptions {
    std::vector<std::string> names;
    std::string sweep;
    bool is_of_slurm = false;
    Places places;
};

/// The Slurm jobs of this database that are in the queue, those of one sweep only where it is named.
std::vector<QueuedJob> allocations(const std::string& db, const std::string& sweep) {
    std::vector<std::string> ids;
    for (const Submission& submission : submissions_in(slurm_folder(db)))
        if (sweep.empty() || submission.sweep == sweep) ids.push_back(submission.id);
    return queued_jobs(ids).value_or(std::vector<QueuedJob>{});
}

void cancel_all(const std::vector<QueuedJob>& jobs) {
    std::set<std::string> ids;
    for (const QueuedJob& job : jobs) ids.insert(job.id);
    if (ids.empty()) return;
    cancel_slurm_jobs({ids.begin(), ids.end()});
    for (const std::string& id : ids) fmt::print("cancelled: Slurm job {}\n", id);
}

int cancel_allocations(const CancelOptions& options) {
    const auto jobs = allocations(resolve_places(options.places).db, "");
    if (jobs.empty()) fmt::print("no Slurm job of this database waits or runs\n");
    cancel_all(jobs);
    return kExitDone;
}

int cancel(const CancelOptions& options) {
    const std::string db = resolve_places(options.places).db;
    CancelRequest request;
    {
        const ReadStore store = ReadStore::open(db);
        request.jobs = options.sweep.empty() ? find_jobs(store, options.names) : jobs_of_sweep(store, options.sweep);
    }
    auto reply = ask_running<CancelReply>(db, request, kChangeTimeout_s);
    if (!reply) {
        ResultStore store = ResultStore::open(db, {OpenMode::kExisting, {}});
        store.requeue_running();
        reply = cancel_stored(store, request.jobs, asker());
    }
    fmt::print("cancelled: {} ({} waited, {} are being stopped); {} had ended before\n",
               reply->waiting + reply->running, reply->waiting, reply->running, reply->ended);
    if (!options.sweep.empty()) {  // one that runs ends by itself, as nothing is left to do
        auto jobs = allocations(db, options.sweep);
        std::erase_if(jobs, [](const QueuedJob& job) { return job.state != "PENDING"; });
        cancel_all(jobs);
    }
    return kExitDone;
}

}  // namespace

void add_cancel_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<CancelOptions>();
    CLI::App* command = app.add_subcommand("cancel", "cancel jobs, also while their sweep runs");
    auto* names =
        command->add_option("JOB", options->names, "jobs (id, beginning of a key, words of a label) or groups");
    auto* sweep = command->add_option("--sweep", options->sweep, "all jobs of this sweep")->excludes(names);
    command
        ->add_flag("--allocation", options->is_of_slurm,
                   "end the Slurm job that `submit` made; its jobs go on with the next submission")
        ->excludes(names)
        ->excludes(sweep);
    add_place_options(*command, options->places);
    command->footer(
        "Cancelled jobs do not run at the next start either, until `leadsweep retry`.\n"
        "Examples:\n  leadsweep cancel 17 18\n  leadsweep cancel \"fold 2, loss bce\"\n  leadsweep cancel 3fa9c1\n"
        "  leadsweep cancel --sweep demo\n  leadsweep cancel --allocation");
    command->callback([options, &exit_code] {
        if (options->is_of_slurm) {
            exit_code = cancel_allocations(*options);
            return;
        }
        if (options->names.empty() && options->sweep.empty())
            throw InputError("which jobs? name them, or a sweep with --sweep");
        exit_code = cancel(*options);
    });
}

}  // namespace leadsweep

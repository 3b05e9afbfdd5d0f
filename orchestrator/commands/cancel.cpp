#include <fmt/format.h>

#include "orchestrator/commands/asking.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/coordinator/job_changes.hpp"

namespace leadsweep {
namespace {

struct CancelOptions {
    std::vector<std::string> names;
    std::string sweep;
    Places places;
};

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
    return kExitDone;
}

}  // namespace

void add_cancel_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<CancelOptions>();
    CLI::App* command = app.add_subcommand("cancel", "cancel jobs, also while their sweep runs");
    auto* names =
        command->add_option("JOB", options->names, "jobs (id, beginning of a key, words of a label) or groups");
    command->add_option("--sweep", options->sweep, "all jobs of this sweep")->excludes(names);
    add_place_options(*command, options->places);
    command->footer(
        "Cancelled jobs do not run at the next start either, until `leadsweep retry`.\n"
        "Examples:\n  leadsweep cancel 17 18\n  leadsweep cancel \"fold 2, loss bce\"\n  leadsweep cancel 3fa9c1\n"
        "  leadsweep cancel --sweep demo");
    command->callback([options, &exit_code] {
        if (options->names.empty() && options->sweep.empty())
            throw InputError("which jobs? name them, or a sweep with --sweep");
        exit_code = cancel(*options);
    });
}

}  // namespace leadsweep

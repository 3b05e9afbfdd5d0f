#include <ctime>

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/jobs_to_do.hpp"
#include "orchestrator/commands/learned_durations.hpp"
#include "orchestrator/commands/survey.hpp"
#include "orchestrator/launch/supervisor.hpp"
#include "orchestrator/plan/manifest.hpp"
#include "orchestrator/plan/site_file.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

struct PlanOptions {
    std::string sweep;
    std::vector<std::string> set;
    Places places;
    bool is_listing = false;
    std::int64_t devices = 0;
    int threads = 1;
    std::string manifest;
    std::string time;
};

/// Devices of this machine, or as many like them as were asked for. A machine without a worker program has none, and
/// the plan is shown all the same.
PricedDevices priced_devices(const PlanOptions& options, const Places& places, Spawner& spawner) {
    PricedDevices priced{1, "cpu"};
    try {
        require_writable_folder(places.scratch);
        const auto devices = discover_devices(spawner, places.worker, options.threads, places.scratch);
        if (!devices.empty()) priced = {static_cast<std::int64_t>(devices.size()), devices.front().kind};
    } catch (const Error& error) {
        log::warning("the devices of this machine are not known, one CPU is assumed: {}", error.what());
    }
    if (options.devices > 0) priced.count = options.devices;
    return priced;
}

/// One file for each assignment to folds: FILE, then FILE.2 and so on.
void write_manifests(const Plan& plan, const std::string& file) {
    for (std::size_t i = 0; i < plan.folds.size(); ++i) {
        const std::string path = i == 0 ? file : fmt::format("{}.{}", file, i + 1);
        write_file_durably(path, manifest_csv(plan, plan.folds[i]));
        fmt::print("\nwhich record is in which fold: {}\n", path);
    }
}

int show_plan(const PlanOptions& options) {
    const Places places = resolve_places(options.places);
    Spawner spawner;
    const Plan plan = make_plan(load_sweep_file(options.sweep, options.set), catalogue_provider(places, spawner));
    const auto states = states_of(plan, places.db);
    fmt::print("{}", render_plan(plan, states));
    const auto to_do = jobs_to_do(plan, states);
    const DurationModel durations = learn_durations(places.db);
    const PricedDevices devices = to_do.empty() ? PricedDevices{} : priced_devices(options, places, spawner);
    fmt::print("{}", render_price(plan, to_do, durations, devices, std::time(nullptr)));
    if (!options.time.empty()) {
        const double limit_s = seconds_of_time_limit(options.time);
        if (limit_s <= 0)
            throw InputError(
                fmt::format("--time {}: no time limit, expected hours:minutes:seconds or minutes", options.time));
        if (const auto problem = time_limit_problem(plan, to_do, durations, devices.kind, limit_s))
            fmt::print("Time limit {} is too short: {}\n", options.time, *problem);
    }
    if (!options.manifest.empty()) write_manifests(plan, options.manifest);
    if (!options.is_listing) return kExitDone;
    fmt::print("\n");
    for (std::size_t job = 0; job < plan.jobs.size(); ++job) {
        const std::string key = plan.keys(job).key;
        const auto state = states.find(key);
        fmt::print("{}  {:<9}  {}\n", key.substr(0, 12), state == states.end() ? "new" : state->second,
                   plan.label(job));
    }
    return kExitDone;
}

}  // namespace

void add_plan_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<PlanOptions>();
    CLI::App* command =
        app.add_subcommand("plan", "tell what `run` would do, and what it would cost, without doing it");
    command->add_option("SWEEP", options->sweep, "sweep file (YAML)")->required();
    command->add_option("--set", options->set, "key=value that overrides the sweep file's base; may be repeated");
    command->add_option("--devices", options->devices, "price it for so many devices [those of this machine]")
        ->check(CLI::PositiveNumber);
    command->add_option("--time", options->time, "time limit of an allocation: says whether an epoch fits into it");
    command->add_option("--threads", options->threads, "cores of one CPU device")->capture_default_str();
    command->add_flag("--jobs", options->is_listing, "list every job");
    command->add_option("--manifest", options->manifest,
                        "CSV file to write: which record is in which fold, and why not");
    add_place_options(*command, options->places);
    command->footer(
        "The price is learned from finished jobs of the database that are like these.\n"
        "Examples:\n  leadsweep plan sweeps/demo.yaml --jobs\n  leadsweep plan sweeps/demo.yaml --devices 32");
    command->callback([options, &exit_code] { exit_code = show_plan(*options); });
}

}  // namespace leadsweep

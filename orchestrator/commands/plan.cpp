#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/prepared_run.hpp"
#include "orchestrator/commands/survey.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {
namespace {

/// What the database knows of each job of the plan: its state ("finished" is shown as done), or "stale" where the same
/// point is there with other records or semantics.
std::map<std::string, std::string> states_of(const Plan& plan, const std::string& db) {
    std::map<std::string, std::string> states;
    if (!std::filesystem::exists(db)) return states;
    const ReadStore store = ReadStore::open(db);
    std::map<std::string, std::string> state_of_key;
    std::map<std::string, bool> has_point;
    for (const auto& row : store.ask("SELECT key, point, state FROM jobs").rows) {
        state_of_key[as_text(row[0])] = as_text(row[2]);
        has_point[as_text(row[1])] = true;
    }
    for (std::size_t job = 0; job < plan.jobs.size(); ++job) {
        const JobKeys keys = plan.keys(job);
        const auto known = state_of_key.find(keys.key);
        if (known != state_of_key.end())
            states[keys.key] = known->second == "finished" ? "done" : known->second;
        else if (has_point.contains(keys.point))
            states[keys.key] = "stale";
    }
    return states;
}

int show_plan(const std::string& path, const std::vector<std::string>& set, const Places& options, bool is_listing) {
    const Places places = resolve_places(options);
    Spawner spawner;
    const Plan plan = make_plan(load_sweep_file(path, set), catalogue_provider(places, spawner));
    const auto states = states_of(plan, places.db);
    fmt::print("{}", render_plan(plan, states));
    if (!is_listing) return kExitDone;
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
    struct Options {
        std::string sweep;
        std::vector<std::string> set;
        Places places;
        bool is_listing = false;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("plan", "tell what `run` would do, without doing it");
    command->add_option("SWEEP", options->sweep, "sweep file (YAML)")->required();
    command->add_option("--set", options->set, "key=value that overrides the sweep file's base; may be repeated");
    command->add_flag("--jobs", options->is_listing, "list every job");
    add_place_options(*command, options->places);
    command->footer("Example:\n  leadsweep plan sweeps/demo.yaml --jobs");
    command->callback([options, &exit_code] {
        exit_code = show_plan(options->sweep, options->set, options->places, options->is_listing);
    });
}

}  // namespace leadsweep

#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/jobs_to_do.hpp"
#include "orchestrator/commands/learned_durations.hpp"
#include "orchestrator/commands/shard.hpp"
#include "orchestrator/commands/survey.hpp"
#include "orchestrator/plan/site_file.hpp"
#include "orchestrator/slurm/batch_script.hpp"
#include "orchestrator/slurm/controller.hpp"
#include "orchestrator/slurm/submissions.hpp"
#include "orchestrator/store/result_store.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

struct SubmitOptions {
    std::string sweep;
    std::vector<std::string> set;
    std::vector<std::string> run_options;
    std::string site;
    Places places;
    std::optional<std::int64_t> nodes;
    std::optional<std::int64_t> gpus_per_node;
    std::optional<std::string> time;
    std::optional<std::string> partition;
    std::optional<std::string> account;
    std::optional<std::string> launcher;
    std::int64_t shards = 0;
    bool is_dry = false;
};

/// The site file that was named, or slurm/site.yaml here or above the program's folder, or what holds everywhere.
SiteSettings site_of(const SubmitOptions& options) {
    if (!options.site.empty()) return load_site_file(options.site);
    for (const fs::path& folder : {fs::path(), fs::read_symlink("/proc/self/exe").parent_path() / "../../.."}) {
        const fs::path file = folder / "slurm/site.yaml";
        if (fs::exists(file)) return load_site_file(file.lexically_normal());
    }
    return {};
}

SiteSettings settings_of(const SubmitOptions& options) {
    SiteSettings settings = site_of(options);
    if (options.nodes) settings.nodes = *options.nodes;
    if (options.gpus_per_node) settings.gpus_per_node = *options.gpus_per_node;
    if (options.time) settings.time = *options.time;
    if (options.partition) settings.partition = *options.partition;
    if (options.account) settings.account = *options.account;
    if (options.launcher) settings.launcher = *options.launcher;
    auto problems = problems_of(settings);
    for (auto& problem : problems) problem = "--" + problem;
    for (const std::string& option : options.run_options)
        for (const std::string own : {"--db", "--work", "--scratch", "--worker", "--set", "--ranks", "--shard"})
            if (option == own || option.starts_with(own + "="))
                problems.push_back(fmt::format(
                    "{}: after `--` come only options of `run` that `submit` has not; put it before", option));
    if (options.shards > 0 && settings.nodes > 1)
        problems.push_back(fmt::format("--shards {}: each shard is a job of one node: --nodes 1", options.shards));
    if (!problems.empty()) throw InputError(problems);
    return settings;
}

BatchScript script_of(const SubmitOptions& options, const SiteSettings& site, const Places& places,
                      const std::string& sweep_name) {
    BatchScript script;
    script.job_name = sweep_name;
    script.partition = site.partition;
    script.account = site.account;
    script.nodes = site.nodes;
    script.gpus_per_node = site.gpus_per_node;
    script.cpus_per_task = site.cpus_per_task;
    script.memory = site.memory;
    script.time = site.time;
    script.signal_s = site.signal_s;
    script.launcher = site.launcher;
    script.max_requeues = site.max_requeues;
    script.environment = site.environment;
    script.options = site.sbatch;
    script.shards = options.shards;
    script.folder = slurm_folder(places.db);
    script.work = places.work;
    if (options.shards > 0 && options.places.work.empty())
        script.work = database_of_shard(places.db, {1, static_cast<std::size_t>(options.shards)}) + ".files";
    script.leadsweep = fs::read_symlink("/proc/self/exe").string();
    script.arguments = {fs::absolute(options.sweep).lexically_normal().string(), "--db", places.db};
    const auto add_place = [&](const char* name, const std::string& given) {
        if (!given.empty())
            script.arguments.insert(script.arguments.end(), {name, fs::absolute(given).lexically_normal().string()});
    };
    add_place("--work", options.places.work);
    add_place("--scratch", options.places.scratch);
    add_place("--worker", options.places.worker);
    for (const auto& setting : options.set) script.arguments.insert(script.arguments.end(), {"--set", setting});
    script.arguments.insert(script.arguments.end(), options.run_options.begin(), options.run_options.end());
    return script;
}

/// A second allocation would wait for hours, only to find the database taken.
void require_no_other(const Places& places) {
    std::vector<std::string> ids;
    for (const Submission& earlier : submissions_in(slurm_folder(places.db))) ids.push_back(earlier.id);
    const auto queued = queued_jobs(ids);
    if (!queued || queued->empty()) return;
    const QueuedJob& job = queued->front();
    throw InputError(
        fmt::format("Slurm job {} works on {} already: it is {}. Wait for it, or end it with "
                    "`leadsweep cancel --allocation --db {}`",
                    job.shown_id, places.db, job.state, shell_quoted(places.db)));
}

std::string follow_up(const Places& places, std::int64_t shards) {
    const std::string db = shell_quoted(places.db);
    if (shards == 0) return fmt::format("leadsweep status --watch --db {}", db);
    return fmt::format("leadsweep status --db {}; when all have ended: leadsweep merge --shards {} --db {}", db, shards,
                       db);
}

int submit(const SubmitOptions& options) {
    const Places places = resolve_places(options.places);
    const SiteSettings site = settings_of(options);
    const SweepSpec sweep = load_sweep_file(options.sweep, options.set);
    Spawner spawner;
    const Plan plan = make_plan(sweep, catalogue_provider(places, spawner));
    const auto to_do = jobs_to_do(plan, states_of(plan, places.db));
    if (to_do.empty()) {
        fmt::print("{}: nothing is left to do of {} jobs; nothing is submitted. See: leadsweep table --db {}\n",
                   plan.sweep_name, plan.jobs.size(), shell_quoted(places.db));
        return kExitDone;
    }
    const DurationModel durations = learn_durations(places.db);
    const std::int64_t parts = std::max<std::int64_t>(1, options.shards);
    const PricedDevices devices{parts * site.nodes * std::max<std::int64_t>(1, site.gpus_per_node),
                                site.gpus_per_node > 0 ? "cuda" : "cpu"};
    const double limit_s = seconds_of_time_limit(site.time);
    if (const auto problem = time_limit_problem(plan, to_do, durations, devices.kind, limit_s))
        throw InputError("--time " + site.time + ": " + *problem);
    const std::string text = render_batch_script(script_of(options, site, places, plan.sweep_name));
    fmt::print("{}\n", text);
    const std::string price = render_price(plan, to_do, durations, devices, std::time(nullptr));
    fmt::print(
        "{}: {} of {} jobs are to be done{}One allocation: {} x {} devices for at most {}: {:.1f} device-hours\n",
        plan.sweep_name, to_do.size(), plan.jobs.size(), price, parts * site.nodes,
        std::max<std::int64_t>(1, site.gpus_per_node), show_duration(limit_s),
        static_cast<double>(devices.count) * limit_s / 3600);
    if (options.is_dry) {
        fmt::print("Nothing was submitted (--dry-run).\n");
        return kExitDone;
    }
    require_no_other(places);
    const std::string folder = slurm_folder(places.db);
    make_slurm_folder(folder);
    const std::string path = folder + "/" + job_name_of(plan.sweep_name) + ".sbatch";
    write_file_durably(path, text);
    const ExpectedStart expected = test_submission(path);
    const std::string id = submit_script(path);
    remember_submission(folder, {id, plan.sweep_name, utc_now(), options.shards});
    fmt::print("Submitted: Slurm job {}; expected start {}\nScript: {}\nOutput: {}/{}-{}.out\nFollow it: {}\n", id,
               expected.start.empty() ? "not told by Slurm" : expected.start, path, folder,
               job_name_of(plan.sweep_name), options.shards > 0 ? id + "_*" : id, follow_up(places, options.shards));
    return kExitDone;
}

}  // namespace

void add_submit_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<SubmitOptions>();
    CLI::App* command = app.add_subcommand("submit", "submit a sweep to Slurm; it requeues itself until it is done");
    command->add_option("SWEEP", options->sweep, "sweep file (YAML)")->required();
    command->add_option("RUN_OPTIONS", options->run_options, "after `--`: options of `leadsweep run`");
    command->add_option("--set", options->set, "key=value that overrides the sweep file's base; may be repeated")
        ->allow_extra_args(false);
    command->add_option("--site", options->site, "site file [slurm/site.yaml here or beside the sources]");
    command->add_option("--nodes", options->nodes, "nodes of the allocation");
    command->add_option("--gpus-per-node", options->gpus_per_node, "GPUs of each node; 0: CPUs only");
    command->add_option("--time", options->time, "time limit of one allocation, as sbatch takes it");
    command->add_option("--partition", options->partition, "partition");
    command->add_option("--account", options->account, "account");
    command->add_option("--launcher", options->launcher, "mpirun (leadsweep run --ranks) or srun (srun --mpi=pmix)");
    command
        ->add_option("--shards", options->shards,
                     "an array of so many jobs of one node each, with databases of their own (see `leadsweep merge`)")
        ->check(CLI::Range(2, 10000));
    command->add_flag("--dry-run", options->is_dry, "show the script, submit nothing");
    add_place_options(*command, options->places);
    command->footer(
        "Options go before the site file's values.\n"
        "Examples:\n  leadsweep submit sweeps/study.yaml --nodes 4 --gpus-per-node 4 --time 8:00:00 --dry-run\n"
        "  leadsweep submit sweeps/study.yaml --shards 16 --gpus-per-node 1\n"
        "  leadsweep submit sweeps/study.yaml -- --hung-after 1800");
    command->callback([options, &exit_code] { exit_code = submit(*options); });
}

}  // namespace leadsweep

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/run_as_rank.hpp"
#include "orchestrator/launch/interface.hpp"
#include "orchestrator/launch/mpirun.hpp"
#include "orchestrator/transport/mpi_world.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

/// The arguments of this process without --ranks.
std::vector<std::string> arguments_of_a_rank() {
    auto arguments = split(read_file("/proc/self/cmdline"), '\0');
    arguments.pop_back();
    arguments.front() = std::filesystem::read_symlink("/proc/self/exe").string();
    for (auto argument = arguments.begin(); argument != arguments.end();) {
        const bool has_value_apart = *argument == "--ranks";
        if (!has_value_apart && !argument->starts_with("--ranks=")) {
            ++argument;
            continue;
        }
        argument = arguments.erase(argument);
        if (has_value_apart && argument != arguments.end()) argument = arguments.erase(argument);
    }
    return arguments;
}

int run(const RunOptions& options) {
    if (options.ranks > 0 && !is_under_mpi_launcher()) {
        const Places places = places_of(options);
        if (!options.interface.empty()) (void)find_interface(options.interface);  // mpirun would say less
        choose_interface_for_mpi(options.interface);
        (void)load_sweep_file(options.sweep, options.set);  // bad input is told before anything starts
        require_writable_folder(places.work);
        return run_under_mpirun(options.ranks, arguments_of_a_rank(),
                                fmt::format("{}/exit.{}", places.work, ::getpid()));
    }
    return run_as_rank(options);
}

/// Rank 0 leaves its exit code where `--ranks` looks for it.
void leave_exit_code(int code) {
    const char* path = std::getenv(kExitFileVariable);
    if (path && is_rank_zero()) write_file_durably(path, std::to_string(code));
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command = app.add_subcommand("run", "run a sweep, or go on with it");
    command->add_option("SWEEP", options->sweep, "sweep file (YAML)")->required();
    command->add_option("--set", options->set, "key=value that overrides the sweep file's base; may be repeated");
    add_place_options(*command, options->places);
    command->add_option_function<std::string>(
        "--shard", [options](const std::string& text) { options->shard = parse_shard(text); },
        "i/n: run part i of n, into a database of its own (results.1-of-4.sqlite); see `leadsweep merge`");
    command->add_option("--ranks", options->ranks, "run on so many MPI ranks, started here by mpirun");
    command->add_option("--threads", options->threads, "cores of one CPU device")->capture_default_str();
    command->add_option("--workers", options->workers, "at most so many workers a rank [all devices]");
    command->add_option("--retry", options->retry, "run jobs again that failed before with this class, or `all`");
    command
        ->add_option(
            "--time-left", options->time_left_s,
            "time until this run must be over, as 90min or 8h: what cannot end is not started, what runs leaves a "
            "checkpoint [what Slurm says of the job]")
        ->transform(
            CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}},
                                  CLI::AsNumberWithUnit::CASE_INSENSITIVE, "TIME"));
    command->add_option("--chaos", options->chaos_seed,
                        "rehearse: kill and stop workers at random, each about every 20 attempts or 30 s; seed");
    command->add_flag("--quiet", options->is_quiet, "no progress");
    command->add_option("--hung-after", options->scheduling.phase_timeout_s, "seconds without progress")
        ->capture_default_str();
    command
        ->add_option("--worker-timeout", options->scheduling.beat_timeout_s,
                     "seconds without a sign of life after which a worker is replaced")
        ->capture_default_str();
    command
        ->add_option("--stop-grace", options->scheduling.stop_grace_s,
                     "seconds that a worker has to stop before it is killed")
        ->capture_default_str();
    command->add_option("--rank-timeout", options->supervisor_timeout_s,
                        "seconds of silence after which a rank is lost [2.5 on one node, 10 between nodes]");
    command
        ->add_option("--interface", options->interface,
                     "network of the ranks and of gangs across nodes: a name (ib0), an address or a network "
                     "(10.0.0.0/24)")
        ->envname(kInterfaceVariable);
    command
        ->add_option("--breaker", options->scheduling.breaker_limit,
                     "stop after so many equal failures in a row; 0: never")
        ->capture_default_str();
    command->footer(
        "Examples:\n  leadsweep run sweeps/demo.yaml\n  leadsweep run sweeps/real_small.yaml --set "
        "data.records=/data/ecg\n"
        "  leadsweep run sweeps/demo.yaml --ranks 4\n  mpirun -n 4 leadsweep run sweeps/demo.yaml\n"
        "Ctrl-C once: checkpoints are written, the same command goes on from there. Twice: stops at once.");
    command->callback([options, &exit_code] {
        try {
            exit_code = run(*options);
        } catch (const Error& error) {
            leave_exit_code(error.exit_code());
            throw;
        } catch (...) {
            leave_exit_code(kExitInternal);
            throw;
        }
        leave_exit_code(exit_code);
    });
}

}  // namespace leadsweep

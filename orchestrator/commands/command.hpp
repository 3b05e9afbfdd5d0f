// What every command has: its entry in the command line, and the places it works in. One file per command.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace leadsweep {

/// Where things lie. Empty ones are resolved by resolve_places().
struct Places {
    std::string db = "results/out/leadsweep.sqlite";
    std::string work;  ///< checkpoints and artefacts, visible to every node; default `<db>.files`
    std::string
        scratch;  ///< packs and logs, local to the node; default SLURM_TMPDIR, TMPDIR, or `<work>/scratch/<host>`
    std::string worker;  ///< worker program; default: beside this one
};

/// Absolute paths, defaults filled in. Makes nothing.
Places resolve_places(Places places);
std::string host_name();
/// Who asks shall not slow a sweep: where one runs on the database, this process, once it has used half a second of a
/// processor, gets the lowest priority and a seventieth of a processor that others want. To be called once, by a command
/// of one thread.
void give_way_to_sweep(const Places& places);

/// Adds --db, --work, --scratch and --worker.
void add_place_options(CLI::App& command, Places& places);

/// Each adds its command; when chosen it sets `exit_code`, or throws one of shared/core/errors.hpp.
void add_run_command(CLI::App& app, int& exit_code);
void add_plan_command(CLI::App& app, int& exit_code);
void add_data_command(CLI::App& app, int& exit_code);
void add_table_command(CLI::App& app, int& exit_code);
void add_map_command(CLI::App& app, int& exit_code);
void add_compare_command(CLI::App& app, int& exit_code);
void add_evaluate_command(CLI::App& app, int& exit_code);
void add_query_command(CLI::App& app, int& exit_code);
void add_best_command(CLI::App& app, int& exit_code);
void add_predict_command(CLI::App& app, int& exit_code);
void add_explain_command(CLI::App& app, int& exit_code);
void add_report_command(CLI::App& app, int& exit_code);
void add_serve_command(CLI::App& app, int& exit_code);
void add_status_command(CLI::App& app, int& exit_code);
void add_why_command(CLI::App& app, int& exit_code);
void add_logs_command(CLI::App& app, int& exit_code);
void add_retry_command(CLI::App& app, int& exit_code);
void add_cancel_command(CLI::App& app, int& exit_code);
void add_backup_command(CLI::App& app, int& exit_code);
void add_doctor_command(CLI::App& app, int& exit_code);
void add_export_command(CLI::App& app, int& exit_code);
void add_submit_command(CLI::App& app, int& exit_code);
void add_merge_command(CLI::App& app, int& exit_code);
/// The last one: it tells of all the others.
void add_completion_command(CLI::App& app, int& exit_code);

/// This program's version and those of its libraries.
std::string version_text();

/// All of them.
void add_commands(CLI::App& app, int& exit_code);

}  // namespace leadsweep

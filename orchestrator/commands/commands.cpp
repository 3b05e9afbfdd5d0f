#include "orchestrator/commands/command.hpp"

namespace leadsweep {

void add_commands(CLI::App& app, int& exit_code) {
    add_run_command(app, exit_code);
    add_plan_command(app, exit_code);
    add_submit_command(app, exit_code);
    add_merge_command(app, exit_code);
    add_data_command(app, exit_code);
    add_table_command(app, exit_code);
    add_best_command(app, exit_code);
    add_map_command(app, exit_code);
    add_compare_command(app, exit_code);
    add_evaluate_command(app, exit_code);
    add_query_command(app, exit_code);
    add_predict_command(app, exit_code);
    add_explain_command(app, exit_code);
    add_report_command(app, exit_code);
    add_serve_command(app, exit_code);
    add_status_command(app, exit_code);
    add_why_command(app, exit_code);
    add_logs_command(app, exit_code);
    add_retry_command(app, exit_code);
    add_cancel_command(app, exit_code);
    add_backup_command(app, exit_code);
    add_doctor_command(app, exit_code);
    add_export_command(app, exit_code);
    add_completion_command(app, exit_code);
}

}  // namespace leadsweep

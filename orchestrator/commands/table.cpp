#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "orchestrator/report/comparison.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {

void add_table_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string rows = "loss";
        std::string metrics = "macro_f1";
        TableRequest request;
        ReportOptions report;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("table", "compare configurations: mean ± sd over the folds");
    command->add_option("--rows", options->rows, "settings of the rows, separated by commas")->capture_default_str();
    command->add_option("--columns", options->request.columns, "setting of the columns, or \"\"")
        ->capture_default_str();
    command
        ->add_option("--metric", options->metrics, "figures, separated by commas: macro_f1, macro_auroc, auroc:AF ...")
        ->capture_default_str();
    add_report_options(*command, options->report);
    command->footer(
        "Examples:\n  leadsweep table --metric macro_f1,macro_auroc\n"
        "  leadsweep table --rows loss,model.depth --where sampling_hz=100 --format markdown");
    command->callback([options, &exit_code] {
        TableRequest& request = options->request;
        request.rows = split(options->rows, ',');
        request.metrics = split(options->metrics, ',');
        request.filter = filter_of(options->report);
        const TableFormat format = table_format_from(options->report.format);
        const ReadStore store = ReadStore::open(resolve_places(options->report.places).db);
        fmt::print("{}", render(comparison_table(store, request), format));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

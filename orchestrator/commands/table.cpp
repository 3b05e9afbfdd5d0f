#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "orchestrator/report/comparison.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

struct TableOptions {
    std::string rows = "loss";
    std::string metrics;
    std::string spread = "interval";
    std::vector<std::string> baseline;
    TableRequest request;
    ReportOptions report;
};

void add_options(CLI::App& command, TableOptions& options) {
    TableRequest& request = options.request;
    command.add_option("--rows", options.rows, "settings of the rows, separated by commas")->capture_default_str();
    command.add_option("--columns", request.columns, "setting of the columns, or \"\"")->capture_default_str();
    command.add_option(
        "--metric", options.metrics,
        "figures, separated by commas: macro_f1, macro_auroc, auroc:AF ... [macro_f1; auroc with --per-class]");
    command.add_flag("--per-class", request.per_class, "one row a class, one column a configuration");
    command.add_option(
        "--baseline", options.baseline,
        "key=value: paired differences from the configuration that has it, else as the one compared; may be "
        "repeated");
    command.add_option("--rope", request.rope, "differences within ± this are practically none")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--bootstrap", request.bootstrap,
                    "replicates of a bootstrap of the difference in macro AUROC, patients drawn within folds; 0: none")
        ->check(CLI::NonNegativeNumber);
    command.add_option("--spread", options.spread, "interval (corrected, 95 %) or sd")
        ->capture_default_str()
        ->check(CLI::IsMember({"interval", "sd"}));
    command.add_option("--sort", request.sort, "by a setting or a metric of the table [file order]");
    command.add_flag("--provenance", request.has_provenance, "job ids behind every cell, digest of the results");
    add_report_options(command, options.report);
    command.footer(
        "Examples:\n  leadsweep table --metric macro_f1,macro_auroc\n"
        "  leadsweep table --rows loss,model.depth --where sampling_hz=100 --format markdown\n"
        "  leadsweep table --baseline loss=bce                 # each rate by itself\n"
        "  leadsweep table --baseline loss=bce --baseline sampling_hz=500 --bootstrap 2000\n"
        "  leadsweep table --per-class --sort positives --format latex > classes.tex");
}

}  // namespace

void add_table_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<TableOptions>();
    CLI::App* command = app.add_subcommand("table", "compare configurations: means over the folds, and what differs");
    add_options(*command, *options);
    command->callback([options, &exit_code] {
        TableRequest& request = options->request;
        request.rows = split(options->rows, ',');
        if (options->metrics.empty()) options->metrics = request.per_class ? "auroc" : "macro_f1";
        request.metrics = split(options->metrics, ',');
        request.spread = options->spread == "sd" ? Spread::kSd : Spread::kInterval;
        for (const auto& text : options->baseline) request.baseline.push_back(where_from(text));
        if (request.per_class && !request.baseline.empty())
            throw InputError("--per-class and --baseline exclude each other; compare one class by --metric auroc:AF");
        if (request.bootstrap > 0 && request.baseline.empty()) throw InputError("--bootstrap needs a --baseline");
        request.filter = filter_of(options->report);
        const TableFormat format = table_format_from(options->report.format);
        const Places places = resolve_places(options->report.places);
        request.work_folder = places.work;
        give_way_to_sweep(places);
        const ReadStore store = ReadStore::open(places.db);
        fmt::print("{}", render(comparison_table(store, request), format));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

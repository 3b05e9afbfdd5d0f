#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "orchestrator/report/subgroups.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {

void add_evaluate_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string metrics;
        SubgroupRequest request;
        ReportOptions report;
    };
    auto options = std::make_shared<Options>();
    options->metrics = fmt::format("{}", fmt::join(options->request.metrics, ","));
    CLI::App* command =
        app.add_subcommand("evaluate", "compute figures anew from the stored predictions, also by source, sex or age");
    command->add_option("--by", options->request.by, "source, sex or age [all tested records together]");
    command
        ->add_option("--metric", options->metrics,
                     "figures, separated by commas: macro_f1, challenge_score, auroc:AF ...")
        ->capture_default_str();
    add_report_options(*command, options->report);
    command->footer(
        "Examples:\n  leadsweep evaluate --by source\n"
        "  leadsweep evaluate --by sex --metric auroc:AF,recall:AF --where sampling_hz=100");
    command->callback([options, &exit_code] {
        SubgroupRequest& request = options->request;
        request.metrics = split(options->metrics, ',');
        request.filter = filter_of(options->report);
        const TableFormat format = table_format_from(options->report.format);
        const Places places = resolve_places(options->report.places);
        give_way_to_sweep(places);
        const ReadStore store = ReadStore::open(places.db);
        fmt::print("{}", render(subgroup_table(store, places.work, request), format));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

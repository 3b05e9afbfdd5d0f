#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "orchestrator/report/published.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {

void add_compare_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string published = "study";
        ReportOptions report;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("compare", "put a sweep's figures beside published ones");
    command->add_option("--published", options->published, "study: Singstad and Muten, the sweep sweeps/study.yaml")
        ->capture_default_str();
    add_report_options(*command, options->report);
    command->footer("Example:\n  leadsweep compare --published study --where sampling_hz=75");
    command->callback([options, &exit_code] {
        const TableFormat format = table_format_from(options->report.format);
        const Places places = resolve_places(options->report.places);
        give_way_to_sweep(places);
        const ReadStore store = ReadStore::open(places.db);
        fmt::print("{}", render(published_comparison(store, filter_of(options->report), options->published), format));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

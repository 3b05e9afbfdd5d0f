#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "orchestrator/report/map.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {

void add_map_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string classes;
        MapRequest request;
        ReportOptions report;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("map", "show which leads speak for which diagnosis");
    command->add_option("--class", options->classes, "codes or abbreviations, separated by commas [all]");
    add_report_options(*command, options->report);
    command->footer("Example:\n  leadsweep map --where loss=bce --where sampling_hz=100");
    command->callback([options, &exit_code] {
        MapRequest& request = options->request;
        if (!options->classes.empty()) request.classes = split(options->classes, ',');
        request.filter = filter_of(options->report);
        const TableFormat format = table_format_from(options->report.format);
        const ReadStore store = ReadStore::open(resolve_places(options->report.places).db);
        fmt::print("{}", render(lead_map(store, request), format, wants_colour(STDOUT_FILENO)));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

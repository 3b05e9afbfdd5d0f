#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/report/map.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {

void add_map_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string classes;
        std::string format = "text";
        std::vector<std::string> where;
        MapRequest request;
        Places places;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("map", "show which leads speak for which diagnosis");
    command->add_option("--class", options->classes, "codes or abbreviations, separated by commas [all]");
    command->add_option("--where", options->where, "only jobs with key=value; may be repeated");
    command->add_option("--sweep", options->request.filter.sweep, "name of the sweep [the latest]");
    command->add_option("--format", options->format, "text, markdown, csv or json")->capture_default_str();
    add_place_options(*command, options->places);
    command->footer("Example:\n  leadsweep map --where loss=bce --where sampling_hz=100");
    command->callback([options, &exit_code] {
        MapRequest& request = options->request;
        if (!options->classes.empty()) request.classes = split(options->classes, ',');
        for (const auto& text : options->where) request.filter.where.push_back(where_from(text));
        const TableFormat format = table_format_from(options->format);
        const ReadStore store = ReadStore::open(resolve_places(options->places).db);
        fmt::print("{}", render(lead_map(store, request), format, wants_colour(STDOUT_FILENO)));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

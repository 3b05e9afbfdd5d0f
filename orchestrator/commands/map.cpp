#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "orchestrator/report/beat_map.hpp"
#include "orchestrator/report/map.hpp"
#include "orchestrator/report/map_difference_table.hpp"
#include "orchestrator/report/part_map.hpp"
#include "orchestrator/report/random_map_table.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {

void add_map_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string classes;
        std::string svg;
        bool wants_parts = false;
        bool wants_beats = false;
        std::vector<std::string> against;
        std::string random_sweep;
        MapRequest request;
        ReportOptions report;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("map", "show which leads speak for which diagnosis");
    command->add_option("--class", options->classes, "codes or abbreviations, separated by commas [all]");
    command->add_flag("--parts", options->wants_parts,
                      "one class in detail: leads x segments of time, or parts of the beat");
    command
        ->add_flag("--beats", options->wants_beats,
                   "one class along its mean beat: leads x time; of sweeps with explain.align: beats or beat_time")
        ->excludes("--parts");
    command
        ->add_option("--against", options->against, "the map with this key=value less the map without; may be repeated")
        ->excludes("--parts")
        ->excludes("--beats");
    command
        ->add_option("--random", options->random_sweep,
                     "beside the maps of this sweep, whose networks have random weights (sweeps/random_maps.yaml)")
        ->excludes("--parts")
        ->excludes("--beats")
        ->excludes("--against");
    command->add_option("--svg", options->svg, "also draw it into this file");
    add_report_options(*command, options->report);
    command->footer(
        "Examples:\n  leadsweep map --where loss=bce --where sampling_hz=100\n"
        "  leadsweep map --where loss=bce --against loss=focal\n"
        "  leadsweep map --class LBBB --beats --svg lbbb.svg\n"
        "  leadsweep map --class AF,LBBB --svg map.svg      # rsvg-convert map.svg -o map.png makes a PNG");
    command->callback([options, &exit_code] {
        MapRequest& request = options->request;
        if (!options->classes.empty()) request.classes = split(options->classes, ',');
        request.filter = filter_of(options->report);
        const TableFormat format = table_format_from(options->report.format);
        const Places places = resolve_places(options->report.places);
        give_way_to_sweep(places);
        const ReadStore store = ReadStore::open(places.db);
        exit_code = kExitDone;
        if (!options->against.empty()) {
            std::vector<std::pair<std::string, std::string>> against;
            for (const auto& text : options->against) against.push_back(where_from(text));
            fmt::print("{}", render(map_difference_table(store, request, against), format));
            return;
        }
        if (!options->random_sweep.empty()) {
            fmt::print("{}", render(random_map_table(store, request, options->random_sweep), format));
            return;
        }
        if (options->wants_parts) {
            const PartMap parts = part_map(store, request);
            if (!options->svg.empty()) write_file_durably(options->svg, draw_parts(parts));
            fmt::print("{}", render(as_table(parts), format));
            return;
        }
        if (options->wants_beats) {
            const BeatMap beats = beat_map(store, places.work, request);
            if (!options->svg.empty()) write_file_durably(options->svg, draw_beats(beats));
            const bool is_for_programs = format == TableFormat::kCsv || format == TableFormat::kJson;
            fmt::print("{}", render(as_table(beats, is_for_programs), format));
            return;
        }
        const LeadMap map = lead_map(store, request);
        if (!options->svg.empty()) write_file_durably(options->svg, draw_map(map));
        fmt::print("{}", render(map, format, wants_colour(STDOUT_FILENO)));
    });
}

}  // namespace leadsweep

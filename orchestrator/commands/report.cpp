#include "orchestrator/report/page.hpp"

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"

namespace leadsweep {

void add_report_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string out = "report.html";
        std::string sweep;
        std::vector<std::string> where;
        Places places;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("report", "write one self-contained HTML page with all results");
    command->add_option("--out", options->out, "file to write")->capture_default_str();
    command->add_option("--where", options->where, "only jobs with key=value; may be repeated");
    command->add_option("--sweep", options->sweep, "name of the sweep [the latest]");
    add_place_options(*command, options->places);
    command->footer(
        "The page needs no network and no other file. Calibration and thresholds come from predictions below --work.\n"
        "Examples:\n  leadsweep report --out report.html\n  leadsweep report --sweep demo --where loss=bce");
    command->callback([options, &exit_code] {
        const Places places = resolve_places(options->places);
        PageRequest request;
        request.filter.sweep = options->sweep;
        for (const auto& text : options->where) request.filter.where.push_back(where_from(text));
        request.work_folder = places.work;
        give_way_to_sweep(places);
        const ReadStore store = ReadStore::open(places.db);
        const std::string page = report_page(store, request);
        write_file_durably(options->out, page);
        fmt::print(stderr, "{}: {:.0f} kB\n", options->out, static_cast<double>(page.size()) / 1000);
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

#include "orchestrator/report/query.hpp"

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {

void add_query_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string sql;
        std::string format = "text";
        Places places;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("query", "ask the database in SQL; read-only");
    command->add_option("SQL", options->sql, "one SELECT; the views are told in results/README.md")->required();
    command->add_option("--format", options->format, "text, markdown, csv or json")->capture_default_str();
    add_place_options(*command, options->places);
    command->footer("Example:\n  leadsweep query \"SELECT sampling_hz, loss, avg(macro_f1) FROM runs GROUP BY 1, 2\"");
    command->callback([options, &exit_code] {
        fmt::print("{}",
                   run_query(resolve_places(options->places).db, options->sql, table_format_from(options->format)));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

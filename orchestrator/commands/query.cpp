#include "orchestrator/report/query.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/report/saved_queries.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

struct QueryOptions {
    std::string sql;
    std::string name;
    std::string save;
    bool is_list = false;
    bool has_no_pager = false;
    std::string format = "text";
    Places places;
};

/// Shows text through a pager where it is longer or wider than the terminal.
void show_paged(const std::string& text, bool has_no_pager) {
    winsize window{};
    const bool is_terminal = ::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0;
    const auto lines = std::count(text.begin(), text.end(), '\n');
    std::size_t widest = 0;
    for (const auto& line : split(text, '\n')) widest = std::max(widest, shown_width(line));
    const bool fits = lines < window.ws_row && widest <= window.ws_col;
    const char* chosen = std::getenv("PAGER");
    const std::string pager = chosen != nullptr ? chosen : "less -FRSX";
    if (!is_terminal || fits || has_no_pager || pager.empty()) {
        fmt::print("{}", text);
        return;
    }
    std::fflush(stdout);
    // A reader who leaves early is no error.
    FILE* pipe = ::popen(pager.c_str(), "w");
    if (pipe != nullptr) std::fwrite(text.data(), 1, text.size(), pipe);
    if (pipe == nullptr || ::pclose(pipe) == 127 << 8) fmt::print("{}", text);
}

Table list_of(const std::string& folder) {
    Table table;
    table.columns = {{"name"}, {"about"}, {"from"}};
    for (const auto& query : saved_queries(folder))
        table.rows.push_back({cell_of(query.name), cell_of(query.about), cell_of(query.is_own ? folder : "leadsweep")});
    return table;
}

std::string answer(const QueryOptions& options) {
    const Places places = resolve_places(options.places);
    give_way_to_sweep(places);
    const std::string& db = places.db;
    const std::string folder = queries_folder(db);
    const TableFormat format = table_format_from(options.format);
    if (options.is_list) return render(list_of(folder), format);
    if (options.sql.empty() == options.name.empty())
        throw InputError("give a question in SQL, or the name of a saved one by --name; --list shows those");
    const std::string sql = options.name.empty() ? options.sql : find_query(folder, options.name).sql;
    std::string text = run_query(db, sql, format);
    if (!options.save.empty()) save_query(folder, options.save, sql);
    return text;
}

}  // namespace

void add_query_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<QueryOptions>();
    CLI::App* command = app.add_subcommand("query", "ask the database in SQL; read-only");
    command->add_option("SQL", options->sql, "one SELECT; the views are told in results/README.md");
    command->add_option("--name", options->name, "a saved question instead");
    command->add_option("--save", options->save,
                        "keep this question under a name, beside the database, if it is answered");
    command->add_flag("--list", options->is_list, "the saved questions");
    command->add_option("--format", options->format, "text, markdown, csv, json, latex or html")->capture_default_str();
    command->add_flag("--no-pager", options->has_no_pager,
                      "print long answers to a terminal as they are [$PAGER, less]");
    add_place_options(*command, options->places);
    command->footer(
        "Examples:\n  leadsweep query \"SELECT sampling_hz, loss, avg(macro_f1) FROM runs GROUP BY 1, 2\"\n"
        "  leadsweep query --list\n  leadsweep query --name leads --format csv\n"
        "  leadsweep query \"SELECT fold, macro_f1 FROM runs\" --save mine");
    command->callback([options, &exit_code] {
        show_paged(answer(*options), options->has_no_pager);
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

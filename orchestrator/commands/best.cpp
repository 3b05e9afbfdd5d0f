#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/report_options.hpp"
#include "orchestrator/report/verdict.hpp"

namespace leadsweep {

void add_best_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string metric = "macro_f1";
        ReportOptions report;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("best", "which configuration won, and what cannot be told from it");
    command->add_option("--metric", options->metric, "macro_f1, macro_auroc, auroc:AF ...")->capture_default_str();
    add_report_options(*command, options->report);
    command->footer(
        "Leaky and incomplete configurations do not compete.\n"
        "Examples:\n  leadsweep best --metric macro_f1\n  leadsweep best --where sampling_hz=100 --format json");
    command->callback([options, &exit_code] {
        const TableFormat format = table_format_from(options->report.format);
        const Places places = resolve_places(options->report.places);
        give_way_to_sweep(places);
        const ReadStore store = ReadStore::open(places.db);
        const ReadStore::Hold one_state = store.hold();
        const Selection selection = select_jobs(store, filter_of(options->report));
        const Layout layout = lay_out(selection, {}, "");
        const auto groups = groups_of(selection, layout);
        const Verdict verdict = judge(Figures(store, selection), selection, groups, options->metric);
        Table table = as_table(verdict, selection, layout, groups);
        if (verdict.best) {
            const SelectedJob& job = selection.jobs[groups[*verdict.best].job_indices.front()];
            table.notes.push_back(fmt::format("Its models: leadsweep predict --group {} RECORD...",
                                              selection.groups[job.group].group_id.substr(0, 12)));
        }
        fmt::print("{}", render(table, format));
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

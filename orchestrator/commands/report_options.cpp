#include "orchestrator/commands/report_options.hpp"

namespace leadsweep {

void add_report_options(CLI::App& command, ReportOptions& options) {
    command.add_option("--where", options.where, "only jobs with key=value; may be repeated");
    command.add_option("--sweep", options.sweep, "name of the sweep [the latest]");
    command.add_option("--format", options.format, "text, markdown, csv, json, latex or html")->capture_default_str();
    add_place_options(command, options.places);
}

JobFilter filter_of(const ReportOptions& options) {
    JobFilter filter{options.sweep};
    for (const auto& text : options.where) filter.where.push_back(where_from(text));
    return filter;
}

}  // namespace leadsweep

// What every command that shows results asks for: which jobs, and how to print them.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/report/selection.hpp"

namespace leadsweep {

struct ReportOptions {
    std::string sweep;               ///< name; "" takes the latest
    std::vector<std::string> where;  ///< key=value
    std::string format = "text";
    Places places;
};

/// Adds --sweep, --where, --format and the places.
void add_report_options(CLI::App& command, ReportOptions& options);

/// The jobs that were asked for. Throws InputError for a --where that is no key=value.
JobFilter filter_of(const ReportOptions& options);

}  // namespace leadsweep

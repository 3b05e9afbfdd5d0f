// The commands of leadsweep-worker: how each is written, and what answers it.
#pragma once

#include <CLI/CLI.hpp>

namespace leadsweep {

/// Adds all commands; the chosen one sets `exit_code`, or throws one of shared/core/errors.hpp.
void add_commands(CLI::App& app, int& exit_code);

}  // namespace leadsweep

// Programs of Slurm, started without a shell: every argument arrives as it is, whatever it holds.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace leadsweep {

struct ProgramEnd {
    int code = -1;  ///< exit code; -1 if a signal ended it
    std::string out;
    std::string err;
};

/// Runs a program found by PATH to its end. Nothing where there is no such program. Throws Error where it does not end
/// within `patience`; it is killed then. Not after MPI was initialised: forking is unsafe there.
std::optional<ProgramEnd> run_external_program(const std::vector<std::string>& arguments,
                                               std::chrono::seconds patience);

}  // namespace leadsweep

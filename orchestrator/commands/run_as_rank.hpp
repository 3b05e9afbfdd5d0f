// `leadsweep run` as one process: alone, or as a rank of an MPI launcher.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/shard.hpp"
#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {

struct RunOptions {
    std::string sweep;
    std::vector<std::string> set;
    std::vector<std::string> retry;
    Places places;
    Shard shard;
    int ranks = 0;
    int threads = 1;
    int workers = 0;
    bool is_quiet = false;
    std::optional<std::uint64_t> chaos_seed;
    SchedulerSettings scheduling;
    std::optional<double> supervisor_timeout_s;
    std::optional<double> time_left_s;
    std::string interface;
};

/// Those of the shard.
Places places_of(const RunOptions& options);

/// Rank 0 plans and coordinates, all ranks supervise the workers on their devices. Returns the exit code. Throws Error.
int run_as_rank(RunOptions options);

}  // namespace leadsweep

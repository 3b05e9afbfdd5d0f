// `leadsweep-worker train`: one job without a supervisor, to be looked at under a debugger or a profiler.
#pragma once

#include <string>

namespace leadsweep {

struct TrainByHand {
    std::string job;  ///< JSON file: worker/job_file.hpp
    std::string device = "cpu";
    int threads = 1;
    std::string out = "leadsweep-train";
};

/// Runs the job and prints how far it is and what came out. Ctrl-C once leaves a checkpoint, from which the same
/// command goes on. Returns an exit code; throws InputError, FileError.
int train_by_hand(const TrainByHand& options);

}  // namespace leadsweep

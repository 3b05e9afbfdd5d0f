// What every rank checks before a sweep starts: the folders that all nodes must see, and the GPUs that were promised.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/plan/sweep_file.hpp"
#include "shared/protocol/messages.hpp"

namespace leadsweep {

/// What rank 0 tells the others. It lives until all have looked: then the probe is removed.
class StartChecks {
public:
    /// Rank 0: makes the folders it needs and leaves a probe in the work folder. Throws InputError, FileError.
    StartChecks(const SweepSpec& sweep, const Places& places);
    ~StartChecks();
    StartChecks(const StartChecks&) = delete;
    StartChecks& operator=(const StartChecks&) = delete;

    /// For check_start() on the other ranks.
    std::string text() const;

private:
    std::string probe_;
    std::vector<std::string> records_;
};

/// Other ranks: the work folder is rank 0's own and can be written, the records are there. `text` is rank 0's, "": it
/// has found a problem itself. Throws InputError with all problems.
void check_start(const std::string& text);

/// Says so where Slurm gave this node more GPUs than can be used. Returns what it said, "" if all is well.
std::string check_promised_gpus(const std::vector<Device>& devices);

}  // namespace leadsweep

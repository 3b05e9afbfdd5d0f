// From a plan and the database to what the coordinator needs: which jobs have something left to do, with the files that
// their workers read.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/learned_durations.hpp"
#include "orchestrator/commands/shard.hpp"
#include "orchestrator/coordinator/coordinator.hpp"
#include "orchestrator/plan/plan.hpp"
#include "orchestrator/store/result_store.hpp"

namespace leadsweep {

struct PreparedRun {
    RunWork work;
    std::size_t done_before = 0;
    std::size_t in_other_shards = 0;
    std::size_t failed_before = 0;  ///< ended for good in earlier runs and not to be tried again
};

/// Registers sweep, jobs and folds, and writes the lists and catalogues that workers need below `<work>`. Jobs that
/// failed in earlier runs with a class in `retry` are forgiven and run again ("all": every class). All jobs are
/// registered, those of `shard` are run. Throws StoreError, FileError.
PreparedRun prepare_run(const Plan& plan, const std::string& yaml, const Places& places, ResultStore& store,
                        const std::set<std::string>& retry, const Shard& shard = {});

/// Tells each job how long it will take on this kind of device, as far as the model knows.
void expect_durations(const Plan& plan, const DurationModel& model, const std::string& device_kind,
                      std::vector<RunJob>& jobs);

}  // namespace leadsweep

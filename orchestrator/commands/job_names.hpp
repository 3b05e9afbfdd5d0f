// From what people type to jobs: an id, the beginning of a key, or words of a label ("fold 2, loss bce").
#pragma once

#include <string>
#include <vector>

#include "orchestrator/store/read_store.hpp"
#include "shared/core/ids.hpp"

namespace leadsweep {

struct NamedJob {
    JobId id;
    std::string key;
    std::string group;
    std::string state;
    std::string sweep;  ///< the latest that lists it
    std::string label;  ///< what sets it apart in that sweep: "fold 2, loss bce"
};

/// Throws InputError where there is none, or several (all are named).
NamedJob find_job(const ReadStore& store, const std::string& name);

/// Each name is a job as in find_job, or the beginning of a group's id, which stands for all its jobs. Throws
/// InputError with every name that is wrong.
std::vector<JobId> find_jobs(const ReadStore& store, const std::vector<std::string>& names);

/// All jobs of a sweep that are not stale. Throws InputError where there is no such sweep.
std::vector<JobId> jobs_of_sweep(const ReadStore& store, const std::string& sweep);

}  // namespace leadsweep

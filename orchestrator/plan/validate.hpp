// What must hold between the keys of one job, where each alone is fine. No records are needed for it.
#pragma once

#include <string>
#include <vector>

#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// Why a job cannot be run. `keys` are those that contradict each other.
struct PointProblem {
    std::vector<std::string> keys;
    std::string text;
};

/// Every contradiction in `spec`; empty if it can be run as far as the spec alone tells.
std::vector<PointProblem> problems_of(const JobSpec& spec);

/// Throws InputError with all problems_of(spec).
void validate(const JobSpec& spec);

}  // namespace leadsweep

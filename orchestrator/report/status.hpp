// What became of the jobs: counts by state, and what failed.
#pragma once

#include <cstdint>
#include <string>

#include "orchestrator/report/table.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

/// One row a sweep: jobs in each state, stale ones apart, attempts, hours of computing. Of one sweep, or of all where
/// the name is "". Throws InputError where there is no such sweep.
Table state_table(const ReadStore& store, const std::string& sweep = "");

/// Failed attempts, the latest first, at most `limit`; of one sweep, or of all where the name is "".
Table failure_table(const ReadStore& store, const std::string& sweep, std::int64_t limit);

}  // namespace leadsweep

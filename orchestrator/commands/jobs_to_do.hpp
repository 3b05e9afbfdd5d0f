// Which jobs of a plan the database knows, and which are left to do.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "orchestrator/plan/plan.hpp"

namespace leadsweep {

/// By key: the state of each job of the plan that the database knows ("finished" is shown as done), or "stale" where
/// the same point is there with other records or semantics. Throws StoreError.
std::map<std::string, std::string> states_of(const Plan& plan, const std::string& db);

/// Positions in the plan of jobs that `run` would run: those that ended without a result wait for a retry.
std::vector<std::size_t> jobs_to_do(const Plan& plan, const std::map<std::string, std::string>& states);

}  // namespace leadsweep

// Parts of a sweep with databases of their own, for sites that give one node a job. `merge` joins them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "orchestrator/plan/plan.hpp"

namespace leadsweep {

/// Part `index` of `count`; 1 of 1 is the whole.
struct Shard {
    std::size_t index = 1;
    std::size_t count = 1;
    bool is_whole() const { return count == 1; }
};

/// "2/4". Throws InputError.
Shard parse_shard(const std::string& text);

/// Which jobs of the plan belong to it. Jobs that train the same network stay together, the rest is dealt out in turn:
/// equal plans give equal parts, whatever is done already.
std::vector<bool> jobs_of_shard(const Plan& plan, const Shard& shard);

/// The database of a part of `database`: results.sqlite, 2 of 4 -> results.2-of-4.sqlite. The whole has its own name.
std::string database_of_shard(const std::string& database, const Shard& shard);

}  // namespace leadsweep

// From which results something was made: so that a table in a paper can be traced to jobs, and checked years later.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "orchestrator/report/selection.hpp"

namespace leadsweep {

/// SHA-256 over what the selected jobs found: for each finished one, ordered by key, the key and all its stored
/// figures. The same results give the same digest, however the file is laid out on disk.
std::string results_digest(const ReadStore& store, const Selection& selection);

/// "1-10, 12" of ids in any order; each once.
std::string ranges_text(std::vector<std::int64_t> ids);

}  // namespace leadsweep

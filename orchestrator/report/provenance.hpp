// From which results something was made, in words: so that a table in a paper can be traced to jobs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leadsweep {

/// "1-10, 12" of ids in any order; each once.
std::string ranges_text(std::vector<std::int64_t> ids);

}  // namespace leadsweep

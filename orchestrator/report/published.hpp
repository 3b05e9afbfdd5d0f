// Our figures beside those of a published study. Puts them side by side and says how they came about; claims no
// significance.
#pragma once

#include <string_view>

#include "orchestrator/report/selection.hpp"
#include "orchestrator/report/table.hpp"

namespace leadsweep {

/// One row for what was published, one for each configuration (mean ± sd over its tested folds), and rows for what
/// needs no model: saying nothing, saying everything, saying the prevalence. Notes list the differences in protocol,
/// and what the publication leaves open. `study`: "study" (Singstad and Muten). Throws InputError for another name, or
/// where the sweep has no finished job.
Table published_comparison(const ReadStore& store, const JobFilter& filter, std::string_view study);

}  // namespace leadsweep

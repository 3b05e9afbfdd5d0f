// The bootstrap of two configurations on the predictions they left.
#pragma once

#include <optional>
#include <string>

#include "orchestrator/report/layout.hpp"
#include "orchestrator/statistics/bootstrap.hpp"

namespace leadsweep {

struct BootstrapAnswer {
    std::optional<BootstrapDifference> difference;
    std::string problem;  ///< why there is none, or what limits it; "" if nothing does
};

/// Difference in macro AUROC of scored groups, `b` - `a`, over the folds tested in both; of several seeds of a fold the
/// first. Never throws for files that are missing: they are named in `problem`.
BootstrapAnswer bootstrap_groups(const ReadStore& store, const std::string& work_folder, const Selection& selection,
                                 const Group& a, const Group& b, std::int64_t replicates);

}  // namespace leadsweep

// The comparison table: a figure of the tested folds, averaged over the folds, for every configuration of a sweep.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/report/selection.hpp"
#include "orchestrator/report/table.hpp"

namespace leadsweep {

struct TableRequest {
    JobFilter filter = {};
    std::vector<std::string> rows = {"loss"};  ///< any settings of a job
    std::string columns = "sampling_hz";       ///< a setting, or "" for none
    /// Names over all classes ("macro_f1"), or of one class by code or abbreviation ("auroc:AF").
    std::vector<std::string> metrics = {"macro_f1"};
};

/// Mean ± sd over the folds; "(n of k)" where folds are missing; the best complete cell of each metric marked; † where
/// the tested fold steers training. Settings that differ besides rows and columns get columns of their own, unless
/// those shown fix them. Throws InputError with the nearest name where a setting, metric or sweep is not there.
Table comparison_table(const ReadStore& store, const TableRequest& request);

}  // namespace leadsweep

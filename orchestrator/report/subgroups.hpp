// Figures computed anew from the stored predictions, without training: over the records of all tested folds together,
// and by source, sex or age.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/report/selection.hpp"
#include "orchestrator/report/table.hpp"

namespace leadsweep {

struct SubgroupRequest {
    JobFilter filter = {};
    std::string by;  ///< "source", "sex", "age", or "" for all records together
    /// Names over all classes ("macro_f1"), or of one class by code or abbreviation ("auroc:AF").
    std::vector<std::string> metrics = {"macro_auroc", "macro_auroc_20", "macro_f1", "accuracy",
                                        "accuracy_all_negative"};
};

/// One row for each configuration and subgroup. Each record is tested in one fold; its prediction is that fold's, and
/// decisions are score >= 0.5. Age bands are 0-17, 18-39, 40-59, 60-79 and 80 years or more. `work`: the folder of
/// artefacts. Throws InputError for a subgroup or metric that is not there, where no job is finished, or a file that
/// the database names is missing or changed; FileError.
Table subgroup_table(const ReadStore& store, const std::string& work, const SubgroupRequest& request);

}  // namespace leadsweep

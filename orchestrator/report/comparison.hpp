// The comparison table: a figure of the tested folds, averaged over the folds, for every configuration of a sweep, with
// what can and what cannot be told from the best.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/report/layout.hpp"
#include "orchestrator/report/selection.hpp"
#include "orchestrator/report/table.hpp"

namespace leadsweep {

enum class Spread { kInterval, kSd };

struct TableRequest {
    JobFilter filter = {};
    std::vector<std::string> rows = {"loss"};  ///< any settings of a job
    std::string columns = "sampling_hz";       ///< a setting, or "" for none
    /// Names over all classes ("macro_f1"), or of one class by code or abbreviation ("auroc:AF"). With per_class,
    /// figures of single classes ("auroc").
    std::vector<std::string> metrics = {"macro_f1"};
    bool per_class = false;
    Spread spread = Spread::kInterval;  ///< what follows a mean
    /// Settings of the configuration that others are compared with, as key and value; what is not named is as in the
    /// configuration compared: {loss: bce} compares within each rate. Empty: no differences.
    std::vector<std::pair<std::string, std::string>> baseline = {};
    double rope = 0.01;           ///< half width of practical equivalence
    std::int64_t bootstrap = 0;   ///< replicates of the difference in macro AUROC; 0: none
    std::string work_folder;      ///< where predictions lie; for the bootstrap
    std::string sort;             ///< "": file order; a setting, or a metric (largest first)
    bool has_provenance = false;  ///< job ids behind every cell, digest of the results
};

/// Mean and corrected 95 % interval over the folds; "(n of k)" where folds are missing; of each metric the best
/// complete cell and all that cannot be told from it marked; † where the tested fold steers training, ‡ where a cell
/// was computed on another kind of device than most. With a baseline one row a configuration instead: its paired
/// difference. Throws InputError with the nearest name where a setting, metric or sweep is not there.
Table comparison_table(const ReadStore& store, const TableRequest& request);

/// The same for a layout at hand, of the selection that the figures are of or of some of its jobs.
Table value_table(const Figures& figures, const TableRequest& request, const Selection& selection,
                  const Layout& layout);

}  // namespace leadsweep

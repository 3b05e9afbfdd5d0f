// What the comparison tables have in common: how a mean is shown, what is noted below. Inside report/ only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/comparison.hpp"
#include "orchestrator/report/significance.hpp"

namespace leadsweep {

/// One mean over folds as a cell, with its marks; values: mean, sd, low, high, n, of, is_leaky.
struct ShownMean {
    const Group* group = nullptr;
    FoldValues folds;
    std::int64_t with_value = 0;  ///< jobs that have the figure
    bool is_other_device = false;
};
Cell cell_of(const ShownMean& mean, Spread spread);
/// Appends both ends, or two missing values.
void add_values(const std::optional<Interval>& interval, std::vector<CellValue>& values);
/// The parts of such a cell.
std::vector<std::string> mean_parts();

ShownMean shown_mean(const Selection& selection, const Group& group, const FigureValues& values,
                     const std::string& usual_device);

/// The kind of device on which most jobs ran; "" where none did.
std::string usual_device(const Selection& selection);

/// Notes that follow from the jobs: missing folds, leaky ones, devices, settings that follow or are averaged.
void add_group_notes(const Selection& selection, const Layout& layout, const std::vector<Group>& groups, bool has_gaps,
                     Table& table);

/// Replaces the job indices that cells carry by provenance notes, or drops them.
void add_provenance(const Figures& figures, const Selection& selection, Table& table);

/// The table of paired differences: one row a configuration and metric.
Table difference_table(const Figures& figures, const TableRequest& request, const Selection& selection,
                       const Layout& layout);
/// One row a class, one column a configuration.
Table class_table(const Figures& figures, const TableRequest& request, const Selection& selection,
                  const Layout& layout);

}  // namespace leadsweep

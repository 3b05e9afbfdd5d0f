// What a plan tells people about its records and folds: what was left out, repaired, or looks like a slip. Only for
// plan.cpp.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/plan/label_table.hpp"
#include "orchestrator/plan/plan.hpp"

namespace leadsweep {

std::vector<std::string> record_notes(const Catalogue& catalogue);
std::vector<std::string> table_notes(const TableReport& report, std::size_t records);
/// Diagnoses that the label set has no class for, the most frequent ones by name.
std::vector<std::string> label_notes(const Catalogue& catalogue, const LabelSet& set);
std::vector<std::string> fold_notes(const FoldReport& report, const JobSpec& spec);
/// Records with a fold that none of the three lists has.
std::size_t dropped_records(const PlannedFolds& folds, const FoldLists& lists);

}  // namespace leadsweep

// Which record lies in which fold, as a table for people and other programs.
#pragma once

#include <string>

#include "orchestrator/plan/plan.hpp"

namespace leadsweep {

/// CSV with one row for each catalogue record: path, source, patient, group (number), fold (number, empty for records
/// in none), why (it is in none), labels (codes separated by ;), signal_sha256. Rows are sorted by path: equal
/// assignments have equal text.
std::string manifest_csv(const Plan& plan, const PlannedFolds& folds);

}  // namespace leadsweep

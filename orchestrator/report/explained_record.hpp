// The explanation of one record: what in it speaks for a class, as a table and on ECG paper.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/report/table.hpp"

namespace leadsweep {

struct ExplainedRecord {
    std::string record;        ///< its name
    std::string abbreviation;  ///< of the class
    double probability = 0;
    std::optional<double> threshold;  ///< tuned on the validation fold
    std::string job;                  ///< whose network
    nlohmann::json answer;            ///< of `leadsweep-worker explain` (worker/explain_record.hpp)
};

/// Rows (leads or electrodes) x parts, and their sums; how well the linear model fits, and how faithful it is, in the
/// notes.
Table as_table(const ExplainedRecord& explained);
/// The record on ECG paper, coloured behind the trace: orange speaks for the class, blue against it; each strip's sum
/// at its end. A complete SVG document.
std::string draw_explained(const ExplainedRecord& explained);

}  // namespace leadsweep

// What a worker predicted, as people and programs see it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/report/table.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

struct ShownPredictions {
    /// {"models", "records": [{"record", "notes", "classes": [{"code", "abbreviation", "probability", "low", "high",
    /// "threshold", "is_positive", "tuned_threshold", "is_positive_tuned", "importance": {lead: sum over time}}]}]}
    nlohmann::json json;
    std::vector<std::string> problems;  ///< records that could not be used
};

/// `answer` as of worker/predict_records.hpp; `tuned` [K] or empty.
ShownPredictions shown_predictions(const ReadStore& store, const nlohmann::json& answer,
                                   const std::vector<double>& tuned, std::size_t models);

/// One row a record and class, the most probable first; with explanations then a table of leads. Without `has_all` only
/// classes above a threshold, and at least the five most probable.
std::string render_predictions(const ShownPredictions& shown, TableFormat format, bool has_all);

}  // namespace leadsweep

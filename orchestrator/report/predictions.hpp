// Predictions of the tested fold as an attempt left them: what calibration, threshold curves and the bootstrap need.
// Files are read, the database only tells where they lie.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "orchestrator/store/read_store.hpp"
#include "shared/ecg/classes.hpp"

namespace leadsweep {

struct TestPredictions {
    LabelSet label_set;                 ///< as the fold's lists carry it
    std::int64_t classes = 0;           ///< K
    std::vector<std::int32_t> records;  ///< [N], indices into the catalogue
    std::vector<float> logits;          ///< [N, K]
    std::vector<std::uint8_t> labels;   ///< [N, K]
    std::vector<std::int32_t> patient;  ///< [N], equal where records are of one patient; empty where that is not stored
};

/// Reads an attempt's predictions and the labels of its fold's lists; `work_folder` as of --work. Throws InputError or
/// FileError naming the file that is missing or damaged.
TestPredictions load_test_predictions(const ReadStore& store, const std::string& work_folder, std::int64_t attempt_id);

/// Scores and labels of scored groups, [N, G]: the mean of the sigmoids and the OR of the labels of their classes, as
/// the metrics have it.
struct GroupScores {
    std::size_t groups = 0;  ///< G
    std::vector<float> scores;
    std::vector<std::uint8_t> labels;
};
GroupScores group_scores(const TestPredictions& predictions, const LabelSet& set);

}  // namespace leadsweep

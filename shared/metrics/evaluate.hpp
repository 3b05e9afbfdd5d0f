// Every figure of one set of predictions: per scored group, per single class, and over all. What a worker computes on
// the validation and the tested fold; not for training losses.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shared/ecg/classes.hpp"
#include "shared/metrics/metric.hpp"

namespace leadsweep {

/// Figures of `logits` against `labels`, both [N, K] row-major in the order of set.classes. Scores are sigmoids in
/// float64; a score that is not finite counts as 0 and negative, as in the official scorer. A group's label and
/// decision are the OR of its classes', its score their mean. Decisions are score >= 0.5; `thresholds` ([K], or empty)
/// only adds the tuned figures. n_positive is the class's positives, for figures over all the sum over groups.
///
/// Per group (class_code = LabelSet::group_code) and per class of a merged group: auroc, auprc, f1, precision, recall,
/// specificity, accuracy, and f1_tuned with thresholds.
/// Over all (class_code ""): macro_f1, macro_auroc, macro_auprc, accuracy (means over the groups), macro_auroc_20 (over
/// groups with at least 20 positives), macro_f1_30 (over single classes), subset_accuracy, challenge_score (where the
/// set has the 26 groups), accuracy_all_negative (what `accuracy` would be without any positive decision), and
/// macro_f1_tuned with thresholds. Means leave out missing values. Throws std::invalid_argument where shapes do not
/// fit.
std::vector<Metric> evaluate(const LabelSet& set, std::span<const std::uint8_t> labels, std::span<const float> logits,
                             const std::string& split, std::span<const double> thresholds = {});

/// For each class of K the threshold on its sigmoid that maximises its F1 (classification.hpp, best_f1_threshold). To
/// be called with the validation fold. Shapes as evaluate().
std::vector<double> tune_thresholds(const LabelSet& set, std::span<const std::uint8_t> labels,
                                    std::span<const float> logits);

/// The macro_auroc and macro_f1 of evaluate() alone, quick enough for every epoch. Shapes as evaluate().
std::optional<double> macro_auroc(const LabelSet& set, std::span<const std::uint8_t> labels,
                                  std::span<const float> logits);
std::optional<double> macro_f1(const LabelSet& set, std::span<const std::uint8_t> labels,
                               std::span<const float> logits);

}  // namespace leadsweep

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
/// Per group (class_code = LabelSet::group_code) and per class of a merged group: auroc, auprc, f1, f2, g2, precision,
/// recall, specificity, accuracy, brier, ece, and f1_tuned with thresholds.
/// Over all (class_code ""), means over the groups that leave out missing values: macro_f1, macro_f2, macro_g2,
/// macro_precision, macro_recall, macro_specificity, macro_auroc, macro_auprc, accuracy, macro_brier, macro_ece,
/// macro_auroc_20 (groups with at least 20 positives), subset_accuracy; all but macro_auroc_20 again over single
/// classes with _30 behind their name; challenge_score where the set has the 26 groups; macro_f1_tuned, accuracy_tuned
/// and challenge_score_tuned with thresholds. What needs no model, to put beside them: accuracy_all_negative,
/// subset_accuracy_all_negative and challenge_score_all_negative (no decision is positive), macro_f1_all_positive (all
/// are), macro_auprc_prevalence and macro_brier_prevalence (the score of each group is its share of positives); the
/// first, the fourth and the last two also with _30. Throws std::invalid_argument where shapes do not fit.
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

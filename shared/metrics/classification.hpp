// Figures of one class: how well scores rank its records and how well decisions hit them. Plain functions of labels and
// scores; which classes are scored together, and what is averaged, is evaluate.hpp's business.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace leadsweep {

/// Area under the ROC curve of one class: the chance that a positive outranks a negative, ties counting half (equal to
/// the trapezoidal rule over groups of tied scores, as in the Challenge's evaluate_model.py).
/// labels [N] 0 or 1, scores [N] finite. Nothing without positives or without negatives.
std::optional<double> auroc(std::span<const std::uint8_t> labels, std::span<const double> scores);

/// Area under the precision-recall curve of one class: average precision, the sum of (R_j - R_(j-1)) P_j over groups of
/// tied scores, no interpolation (evaluate_model.py; scikit-learn's average_precision_score). Shapes as auroc().
/// Nothing without positives; 1 without negatives.
std::optional<double> auprc(std::span<const std::uint8_t> labels, std::span<const double> scores);

/// Both areas by one sorting of the scores.
struct RankingFigures {
    std::optional<double> auroc;
    std::optional<double> auprc;
};
RankingFigures ranking_figures(std::span<const std::uint8_t> labels, std::span<const double> scores);

/// Counts of the four ways in which a decision meets a label. A figure whose definition divides 0 by 0 has no value.
struct Confusion {
    std::int64_t true_positive = 0;
    std::int64_t false_positive = 0;
    std::int64_t false_negative = 0;
    std::int64_t true_negative = 0;

    std::optional<double> f1() const;           ///< 2TP / (2TP + FP + FN)
    std::optional<double> precision() const;    ///< TP / (TP + FP)
    std::optional<double> recall() const;       ///< TP / (TP + FN)
    std::optional<double> specificity() const;  ///< TN / (TN + FP)
    std::optional<double> accuracy() const;     ///< (TP + TN) / N
    std::int64_t positives() const { return true_positive + false_negative; }
    std::int64_t negatives() const { return true_negative + false_positive; }
};

/// labels and decisions [N], 0 or 1.
Confusion confusion(std::span<const std::uint8_t> labels, std::span<const std::uint8_t> decisions);

/// F2 and G2 as the Challenge 2020 scored them (evaluate_12ECG_score.py, compute_beta_measures): with beta = 2, F is
/// (1 + b^2) TP / ((1 + b^2) TP + FP + b^2 FN) and G is TP / (TP + FP + b FN), where each record counts `weights` [N]:
/// 1 over its number of labels. Nothing where the denominator is 0.
struct BetaFigures {
    std::optional<double> f2;
    std::optional<double> g2;
};
BetaFigures beta_figures(std::span<const std::uint8_t> labels, std::span<const std::uint8_t> decisions,
                         std::span<const double> weights);

/// Mean squared distance of score and label (Brier 1950). Nothing without records. Shapes as auroc(); scores in [0, 1].
std::optional<double> brier_score(std::span<const std::uint8_t> labels, std::span<const double> scores);

/// Expected calibration error of the positive class: scores in 15 bins of equal width [i/15, (i+1)/15), the last one
/// with 1; mean over the records of |share of positives - mean score| of their bin (Naeini et al. 2015). Nothing
/// without records.
std::optional<double> calibration_error(std::span<const std::uint8_t> labels, std::span<const double> scores);

/// The threshold t that maximises F1 of `score >= t` over these records: half way between two neighbouring scores, the
/// highest one if several do equally well. 0.5 where there is no positive. Shapes as auroc(); scores in [0, 1].
double best_f1_threshold(std::span<const std::uint8_t> labels, std::span<const double> scores);

}  // namespace leadsweep

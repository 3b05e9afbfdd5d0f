// From explained records to lead importance: which records of the tested fold are explained, by which worker, and what
// their coefficients say of a class on average.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "shared/arrays/safetensors.hpp"
#include "shared/job/fold_lists.hpp"
#include "shared/job/job_result.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/explain/explainer.hpp"

namespace leadsweep {

/// A record that carries several classes is explained once and serves all of them.
struct ExplainPlan {
    std::vector<std::int32_t> records;  ///< each once, ascending
    std::vector<std::vector<std::int32_t>>
        records_of_class;  ///< [K], ascending, at most records_per_class each, subsets of `records`

    /// The classes for which a record was chosen.
    std::vector<std::int64_t> classes_of(std::int32_t record) const;
};

/// Picks labelled positives of the tested list: the first explain.records_per_class of each class in one seeded order
/// of the list, which depends on seed and records alone: the same records for every configuration. With
/// explain.records: true_positives only those whose logit in `test_logits` ([lists.test.size(), K], row-major) is above
/// 0.
ExplainPlan plan_explanations(const FoldLists& lists, const ExplainSpec& spec, std::int64_t seed,
                              std::span<const float> test_logits);

struct ExplainHooks {
    std::function<bool()> should_stop;        ///< asked between batches; one rank's yes stops all
    std::function<void(double)> on_progress;  ///< fraction of the whole plan
};

/// Collective: explains plan.records, divided among the ranks; every rank gets all explanations, in the plan's order.
/// Throws JobError(kInterrupted) on every rank when should_stop says so on one.
std::vector<Explanation> explain_all(Explainer& explainer, const RecordSource& records, const ExplainPlan& plan,
                                     Communicator& communicator, const ExplainHooks& hooks);

/// What is named in the results of a job.
struct MapNames {
    std::vector<std::string> class_codes;  ///< K
    std::vector<std::string> rows;         ///< R: leads or electrodes
};

struct ClassMaps {
    /// For each class with positives among the tested, row and segment. A class of which every explanation was left out
    /// has rows with n = 0.
    std::vector<LeadImportance> rows;
    /// Means of the figures of faithfulness.hpp over the same records, split `explain`, n_positive = records.
    std::vector<Metric> metrics;
    /// What the rows were made from, so that maps can be pooled and resampled without explaining again. N = pairs of a
    /// record and a class: records [N] i32, classes [N] i32, coefficients [N, R, S] f64, r2 [N] f64 (NaN: no model),
    /// is_dropped [N] u8.
    ArrayFile arrays;
    std::vector<std::string> notes;  ///< what was left out, for people
};

/// Exact sums, so that no order of records or ranks changes a bit (shared/job/importance_sums.hpp). An explanation of a
/// class whose weighted R2 is below `min_r2` is left out and counted in n_dropped, and so is a refused record.
/// `explanations` as from explain_all. Throws JobError(kInvalid) where every record was refused.
ClassMaps aggregate(const ExplainPlan& plan, const std::vector<Explanation>& explanations, const MapNames& names,
                    double min_r2);

}  // namespace leadsweep

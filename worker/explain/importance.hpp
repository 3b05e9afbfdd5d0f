// From explained records to lead importance: which records of the tested fold are explained, by which worker, and what
// their coefficients say of a class on average.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shared/job/fold_lists.hpp"
#include "shared/job/job_result.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/explain/explainer.hpp"

namespace leadsweep {

/// A record that carries several classes is explained once and serves all of them.
struct ExplainPlan {
    std::vector<std::int32_t> records;  ///< each once, ascending
    std::vector<std::vector<std::int32_t>>
        records_of_class;  ///< [K], at most records_per_class each, subsets of `records`
};

/// Picks labelled positives of the tested list: the first `records_per_class` of each class in one seeded order of the
/// list, which depends on seed and records alone.
ExplainPlan plan_explanations(const FoldLists& lists, std::int64_t records_per_class, std::int64_t seed);

struct ExplainHooks {
    std::function<bool()> should_stop;        ///< asked between batches; one rank's yes stops all
    std::function<void(double)> on_progress;  ///< fraction of the whole plan
};

/// Collective: explains plan.records, divided among the ranks; every rank gets all explanations, in the plan's order.
/// Throws JobError(kInterrupted) on every rank when should_stop says so on one.
std::vector<Explanation> explain_all(Explainer& explainer, const RecordSource& records, const ExplainPlan& plan,
                                     Communicator& communicator, const ExplainHooks& hooks);

/// Mean, mean magnitude, standard deviation (n - 1; 0 for one record) and mean R2 for each class with explained
/// records, lead and segment. `explanations` as from explain_all.
std::vector<LeadImportance> aggregate(const ExplainPlan& plan, const std::vector<Explanation>& explanations,
                                      const std::vector<std::string>& class_codes,
                                      const std::vector<std::string>& lead_names);

}  // namespace leadsweep

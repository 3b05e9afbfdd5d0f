#include "worker/explain/importance.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include <ATen/core/PhiloxRNGEngine.h>

namespace leadsweep {
namespace {

/// Ends a record's explanation on the rank that was told to stop; the ranks agree at the end of the round.
struct Stopped {};

std::uint64_t place_in_order(std::int64_t seed, std::int32_t record) {
    at::philox_engine engine(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(record));
    const std::uint64_t high = engine();
    return (high << 32U) | engine();
}

torch::Tensor packed(const Explanation& explanation) {
    return torch::cat({explanation.coefficients.reshape({-1}), explanation.r2});
}

}  // namespace

ExplainPlan plan_explanations(const FoldLists& lists, std::int64_t records_per_class, std::int64_t seed) {
    std::vector<std::pair<std::uint64_t, std::int32_t>> ordered;
    for (const std::int32_t record : lists.test) ordered.emplace_back(place_in_order(seed, record), record);
    std::sort(ordered.begin(), ordered.end());
    ExplainPlan plan;
    plan.records_of_class.resize(static_cast<std::size_t>(lists.class_count));
    std::set<std::int32_t> chosen;
    for (std::int64_t k = 0; k < lists.class_count; ++k) {
        auto& of_class = plan.records_of_class[static_cast<std::size_t>(k)];
        for (const auto& [place, record] : ordered) {
            if (static_cast<std::int64_t>(of_class.size()) == records_per_class) break;
            if (lists.labels[static_cast<std::size_t>(record * lists.class_count + k)] == 0) continue;
            of_class.push_back(record);
            chosen.insert(record);
        }
        std::sort(of_class.begin(), of_class.end());
    }
    plan.records.assign(chosen.begin(), chosen.end());
    return plan;
}

std::vector<Explanation> explain_all(Explainer& explainer, const RecordSource& records, const ExplainPlan& plan,
                                     Communicator& communicator, const ExplainHooks& hooks) {
    std::vector<Explanation> explanations;
    const std::size_t count = plan.records.size();
    const auto ranks = static_cast<std::size_t>(communicator.size());
    for (std::size_t first = 0; first < count; first += ranks) {
        const auto report = [&](double fraction) {
            if (hooks.should_stop && hooks.should_stop()) throw Stopped{};
            if (hooks.on_progress) {
                const auto done =
                    static_cast<double>(first) + fraction * static_cast<double>(std::min(ranks, count - first));
                hooks.on_progress(done / static_cast<double>(count));
            }
        };
        // A rank without a record of its own in the last round repeats the last one: gathering wants equal shapes.
        const std::size_t mine = std::min(first + static_cast<std::size_t>(communicator.rank()), count - 1);
        Explanation explanation;
        auto stop_requests = torch::zeros({1}, torch::kFloat64);
        try {
            explanation = explainer.explain(records, plan.records[mine], report);
        } catch (const Stopped&) {
            stop_requests += 1;
        }
        communicator.all_reduce_sum_(stop_requests);
        if (stop_requests.item<double>() > 0) throw JobError(FailureClass::kInterrupted, "stopped while explaining");
        const auto gathered = communicator.all_gather(packed(explanation));
        const auto shape = explanation.coefficients.sizes().vec();
        const std::int64_t coefficients = explanation.coefficients.numel();
        for (std::size_t rank = 0; rank < ranks && first + rank < count; ++rank) {
            const auto row = gathered[static_cast<std::int64_t>(rank)];
            explanations.push_back(
                {row.slice(0, 0, coefficients).view(shape).clone(), row.slice(0, coefficients).clone()});
        }
    }
    return explanations;
}

std::vector<LeadImportance> aggregate(const ExplainPlan& plan, const std::vector<Explanation>& explanations,
                                      const std::vector<std::string>& class_codes,
                                      const std::vector<std::string>& lead_names) {
    std::vector<LeadImportance> rows;
    for (std::size_t k = 0; k < plan.records_of_class.size(); ++k) {
        const auto& records = plan.records_of_class[k];
        if (records.empty()) continue;
        std::vector<torch::Tensor> of_class;
        double r2 = 0;
        for (const std::int32_t record : records) {
            const auto at = std::lower_bound(plan.records.begin(), plan.records.end(), record) - plan.records.begin();
            const auto& explanation = explanations.at(static_cast<std::size_t>(at));
            of_class.push_back(explanation.coefficients[static_cast<std::int64_t>(k)]);
            r2 += explanation.r2[static_cast<std::int64_t>(k)].item<double>();
        }
        const auto stacked = torch::stack(of_class);  // [n, L, S]
        const auto mean = stacked.mean(0);
        const auto magnitude = stacked.abs().mean(0);
        const auto sd = records.size() > 1 ? stacked.std(0) : torch::zeros_like(mean);
        const auto n = static_cast<std::int64_t>(records.size());
        for (std::int64_t lead = 0; lead < mean.size(0); ++lead)
            for (std::int64_t segment = 0; segment < mean.size(1); ++segment)
                rows.push_back({class_codes.at(k), lead_names.at(static_cast<std::size_t>(lead)), segment,
                                mean[lead][segment].item<double>(), magnitude[lead][segment].item<double>(),
                                sd[lead][segment].item<double>(), n, r2 / static_cast<double>(n)});
    }
    return rows;
}

}  // namespace leadsweep

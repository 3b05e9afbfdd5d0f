#include "worker/explain/importance.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/exact_sum.hpp"
#include "shared/job/importance_sums.hpp"
#include "worker/explain/faithfulness.hpp"
#include "worker/explain/record_order.hpp"

namespace leadsweep {
namespace {

/// Ends a record's explanation on the rank that was told to stop; the ranks agree at the end of the round.
struct Stopped {};

/// One tensor of a fixed size, whether the record was refused or not: gathering wants equal shapes.
torch::Tensor packed(const Explanation& explanation, std::int64_t classes, std::int64_t parts) {
    const auto code = torch::full({1}, static_cast<double>(explanation.refusal), torch::kFloat64);
    if (explanation.refusal != Refusal::kNone)
        return torch::cat({torch::zeros({classes * (parts + 1 + kFaithfulnessFigures)}, torch::kFloat64), code});
    return torch::cat(
        {explanation.coefficients.reshape({-1}), explanation.r2, explanation.faithfulness.reshape({-1}), code});
}

Explanation unpacked(const torch::Tensor& row, std::int64_t classes, std::int64_t rows, std::int64_t segments) {
    const auto refusal = static_cast<Refusal>(static_cast<int>(row[-1].item<double>()));
    if (refusal != Refusal::kNone) return {{}, {}, {}, refusal};
    const std::int64_t after_coefficients = classes * rows * segments;
    const std::int64_t after_r2 = after_coefficients + classes;
    return {row.slice(0, 0, after_coefficients).view({classes, rows, segments}).clone(),
            row.slice(0, after_coefficients, after_r2).clone(),
            row.slice(0, after_r2, -1).view({classes, kFaithfulnessFigures}).clone(), refusal};
}

/// Of one class: the sums of each part, and what goes into the arrays.
class MapOfClass {
public:
    explicit MapOfClass(std::size_t parts) : sums_(parts) {}

    void add(const Explanation& explanation, std::int64_t k, bool is_dropped) {
        if (is_dropped) {
            ++dropped_;
            return;
        }
        const auto coefficients = explanation.coefficients[k].contiguous();
        const double* value = coefficients.const_data_ptr<double>();
        for (auto& part : sums_) part.add(*value++);
        r2_.add(explanation.r2[k].item<double>());
        for (std::size_t i = 0; i < faithfulness_.size(); ++i)
            faithfulness_[i].add(explanation.faithfulness[k][static_cast<std::int64_t>(i)].item<double>());
    }

    void add_metrics(const std::string& code, std::vector<Metric>& out) const {
        const std::int64_t n = sums_.front().n();
        if (n == 0) return;
        for (std::size_t i = 0; i < faithfulness_.size(); ++i)
            out.push_back({"explain", code, std::string(kFaithfulnessNames[i]),
                           faithfulness_[i].value() / static_cast<double>(n), n});
    }

    void add_rows(const std::string& code, const MapNames& names, std::vector<LeadImportance>& out) const {
        const std::size_t segments = sums_.size() / names.rows.size();
        const std::int64_t n = sums_.front().n();
        std::optional<double> r2;
        if (n > 0 && std::isfinite(r2_.value())) r2 = r2_.value() / static_cast<double>(n);
        for (std::size_t part = 0; part < sums_.size(); ++part)
            out.push_back({code, names.rows[part / segments], static_cast<std::int64_t>(part % segments),
                           sums_[part].mean(), sums_[part].magnitude(), sums_[part].sd(), n, r2,
                           sums_[part].sign_agreement(), dropped_});
    }

private:
    std::vector<ImportanceSums> sums_;
    ExactSum r2_;
    std::array<ExactSum, kFaithfulnessNames.size()> faithfulness_;
    std::int64_t dropped_ = 0;
};

/// The arrays of ClassMaps while they grow.
struct Pairs {
    std::vector<std::int32_t> records;
    std::vector<std::int32_t> classes;
    std::vector<double> coefficients;
    std::vector<double> r2;
    std::vector<std::uint8_t> is_dropped;

    void add(std::int32_t record, std::int64_t k, const Explanation& explanation, bool drop) {
        records.push_back(record);
        classes.push_back(static_cast<std::int32_t>(k));
        const auto values = explanation.coefficients[k].contiguous();
        coefficients.insert(coefficients.end(), values.const_data_ptr<double>(),
                            values.const_data_ptr<double>() + values.numel());
        r2.push_back(explanation.r2[k].item<double>());
        is_dropped.push_back(drop ? 1 : 0);
    }

    ArrayFile as_arrays(const MapNames& names, std::int64_t segments) const {
        const auto n = static_cast<std::int64_t>(records.size());
        ArrayFile file;
        file.arrays["records"] = NamedArray::of<std::int32_t>(records, {n});
        file.arrays["classes"] = NamedArray::of<std::int32_t>(classes, {n});
        file.arrays["coefficients"] =
            NamedArray::of<double>(coefficients, {n, static_cast<std::int64_t>(names.rows.size()), segments});
        file.arrays["r2"] = NamedArray::of<double>(r2, {n});
        file.arrays["is_dropped"] = NamedArray::of<std::uint8_t>(is_dropped, {n});
        file.metadata = {{"class_codes", fmt::format("{}", fmt::join(names.class_codes, ";"))},
                         {"rows", fmt::format("{}", fmt::join(names.rows, ";"))}};
        return file;
    }
};

const Explanation* first_done(const std::vector<Explanation>& explanations) {
    const auto found = std::find_if(explanations.begin(), explanations.end(),
                                    [](const Explanation& one) { return one.refusal == Refusal::kNone; });
    return found == explanations.end() ? nullptr : &*found;
}

const char* reason_of(Refusal refusal) {
    return refusal == Refusal::kNoBeats ? "no R peak was found in them"
                                        : "II - I - III is more than 5 % of III: leads that were filtered or "
                                          "standardised one by one do not come "
                                          "from one set of electrodes any more";
}

/// Says which records were refused. Throws where all were.
void tell_refusals(const std::vector<Explanation>& explanations, std::vector<std::string>& notes) {
    for (const Refusal refusal : {Refusal::kInconsistentLeads, Refusal::kNoBeats}) {
        const auto count = static_cast<std::size_t>(std::count_if(
            explanations.begin(), explanations.end(), [&](const Explanation& one) { return one.refusal == refusal; }));
        if (count == 0) continue;
        if (count == explanations.size())
            throw JobError(
                FailureClass::kInvalid,
                fmt::format("none of the {} records can be explained: {}; use explain.{}", count, reason_of(refusal),
                            refusal == Refusal::kNoBeats ? "align: window" : "space: leads"));
        notes.push_back(
            fmt::format("{} of {} records are not explained: {}.", count, explanations.size(), reason_of(refusal)));
    }
}

}  // namespace

std::vector<std::int64_t> ExplainPlan::classes_of(std::int32_t record) const {
    std::vector<std::int64_t> classes;
    for (std::size_t k = 0; k < records_of_class.size(); ++k)
        if (std::binary_search(records_of_class[k].begin(), records_of_class[k].end(), record))
            classes.push_back(static_cast<std::int64_t>(k));
    return classes;
}

ExplainPlan plan_explanations(const FoldLists& lists, const ExplainSpec& spec, std::int64_t seed,
                              std::span<const float> test_logits) {
    const bool wants_true_positives = spec.records == "true_positives";
    std::vector<std::pair<std::int32_t, std::size_t>> rows_of_logits;
    for (std::size_t row = 0; row < lists.test.size(); ++row) rows_of_logits.emplace_back(lists.test[row], row);
    std::sort(rows_of_logits.begin(), rows_of_logits.end());
    const auto is_found = [&](std::int32_t record, std::int64_t k) {
        const auto at =
            std::lower_bound(rows_of_logits.begin(), rows_of_logits.end(), std::pair(record, std::size_t{0}));
        return test_logits[at->second * static_cast<std::size_t>(lists.class_count) + static_cast<std::size_t>(k)] > 0;
    };
    const auto ordered = in_seeded_order(lists.test, seed);
    ExplainPlan plan;
    plan.records_of_class.resize(static_cast<std::size_t>(lists.class_count));
    std::set<std::int32_t> chosen;
    for (std::int64_t k = 0; k < lists.class_count; ++k) {
        auto& of_class = plan.records_of_class[static_cast<std::size_t>(k)];
        for (const std::int32_t record : ordered) {
            if (static_cast<std::int64_t>(of_class.size()) == spec.records_per_class) break;
            if (lists.labels[static_cast<std::size_t>(record * lists.class_count + k)] == 0) continue;
            if (wants_true_positives && !is_found(record, k)) continue;
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
    const auto classes = static_cast<std::int64_t>(plan.records_of_class.size());
    const auto rows = static_cast<std::int64_t>(explainer.rows().size());
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
            explanation = explainer.explain(records, plan.records[mine], plan.classes_of(plan.records[mine]), report);
        } catch (const Stopped&) {
            stop_requests += 1;
        }
        communicator.all_reduce_sum_(stop_requests);
        if (stop_requests.item<double>() > 0) throw JobError(FailureClass::kInterrupted, "stopped while explaining");
        const auto gathered = communicator.all_gather(packed(explanation, classes, rows * explainer.segments()));
        for (std::size_t rank = 0; rank < ranks && first + rank < count; ++rank)
            explanations.push_back(
                unpacked(gathered[static_cast<std::int64_t>(rank)], classes, rows, explainer.segments()));
    }
    return explanations;
}

ClassMaps aggregate(const ExplainPlan& plan, const std::vector<Explanation>& explanations, const MapNames& names,
                    double min_r2) {
    ClassMaps maps;
    tell_refusals(explanations, maps.notes);
    const Explanation* any = first_done(explanations);
    if (any == nullptr) return maps;
    const std::int64_t segments = any->coefficients.size(2);
    Pairs pairs;
    std::size_t dropped = 0;
    std::vector<std::string> without_positives;
    for (std::size_t k = 0; k < plan.records_of_class.size(); ++k) {
        const auto& records = plan.records_of_class[k];
        if (records.empty()) {
            without_positives.push_back(names.class_codes.at(k));
            continue;
        }
        MapOfClass of_class(names.rows.size() * static_cast<std::size_t>(segments));
        for (const std::int32_t record : records) {
            const auto at = std::lower_bound(plan.records.begin(), plan.records.end(), record) - plan.records.begin();
            const auto& explanation = explanations.at(static_cast<std::size_t>(at));
            const bool is_refused = explanation.refusal != Refusal::kNone;
            const auto index = static_cast<std::int64_t>(k);
            const bool is_poor = !is_refused && explanation.r2[index].item<double>() < min_r2;
            of_class.add(explanation, index, is_refused || is_poor);
            if (!is_refused) pairs.add(record, index, explanation, is_poor);
            if (is_poor) ++dropped;
        }
        of_class.add_rows(names.class_codes.at(k), names, maps.rows);
        of_class.add_metrics(names.class_codes.at(k), maps.metrics);
    }
    maps.arrays = pairs.as_arrays(names, segments);
    if (dropped > 0)
        maps.notes.push_back(
            fmt::format("{} of {} explanations (a record for a class) fit worse than R2 {} "
                        "(explain.min_r2) and are left out of the maps.",
                        dropped, pairs.records.size(), min_r2));
    if (!without_positives.empty())
        maps.notes.push_back(fmt::format("No map for {} classes without explained positives in the tested fold: {}.",
                                         without_positives.size(), fmt::join(without_positives, ", ")));
    return maps;
}

}  // namespace leadsweep

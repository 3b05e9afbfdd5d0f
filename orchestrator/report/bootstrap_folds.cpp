#include "orchestrator/report/bootstrap_folds.hpp"

#include <map>
#include <numeric>

#include <fmt/format.h>

#include "orchestrator/report/predictions.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr std::uint64_t kSeed = 20030901;  ///< fixed: the same database gives the same bytes

/// First finished attempt of each tested fold.
std::map<std::size_t, std::int64_t> attempts_of(const Selection& selection, const Group& group) {
    std::map<std::size_t, std::int64_t> attempts;
    for (const std::size_t index : group.job_indices)
        if (const SelectedJob& job = selection.jobs[index]; job.attempt_id != 0)
            attempts.emplace(job.tested_fold, job.attempt_id);
    return attempts;
}

/// Patients numbered from 0; every record its own where they are not stored.
std::vector<std::int32_t> numbered(const std::vector<std::int32_t>& patient, std::size_t records) {
    std::vector<std::int32_t> numbers;
    if (patient.empty()) {
        numbers.resize(records);
        std::iota(numbers.begin(), numbers.end(), 0);
        return numbers;
    }
    std::map<std::int32_t, std::int32_t> places;
    for (const std::int32_t one : patient)
        numbers.push_back(places.emplace(one, static_cast<std::int32_t>(places.size())).first->second);
    return numbers;
}

}  // namespace

BootstrapAnswer bootstrap_groups(const ReadStore& store, const std::string& work_folder, const Selection& selection,
                                 const Group& a, const Group& b, std::int64_t replicates) {
    BootstrapAnswer answer;
    const auto of_b = attempts_of(selection, b);
    std::vector<PairedFold> folds;
    try {
        for (const auto& [fold, attempt] : attempts_of(selection, a)) {
            const auto partner = of_b.find(fold);
            if (partner == of_b.end()) continue;
            const TestPredictions first = load_test_predictions(store, work_folder, attempt);
            const TestPredictions second = load_test_predictions(store, work_folder, partner->second);
            if (first.records != second.records) {
                answer.problem = "Bootstrap: predictions of one fold are of different records; not compared.";
                return answer;
            }
            const LabelSet& set = first.label_set;
            GroupScores scores_a = group_scores(first, set);
            GroupScores scores_b = group_scores(second, set);
            if (first.patient.empty())
                answer.problem =
                    "Bootstrap: patients are not stored with these results; records were drawn instead, and the "
                    "intervals "
                    "are too narrow where a patient has several.";
            folds.push_back({static_cast<std::int64_t>(scores_a.groups), std::move(scores_a.labels),
                             std::move(scores_a.scores), std::move(scores_b.scores),
                             numbered(first.patient, first.records.size())});
        }
    } catch (const Error& error) {
        answer.problem = fmt::format("Bootstrap left out: {}.", error.what());
        return answer;
    }
    answer.difference = bootstrap_auroc_difference(folds, replicates, kSeed);
    if (!answer.difference)
        answer.problem = "Bootstrap left out: no class has tested positives and negatives in every fold.";
    return answer;
}

}  // namespace leadsweep

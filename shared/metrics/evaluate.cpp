#include "shared/metrics/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "shared/metrics/challenge_score.hpp"
#include "shared/metrics/classification.hpp"

namespace leadsweep {
namespace {

constexpr double kThreshold = 0.5;
constexpr std::int64_t kEnoughPositives = 20;

/// Labels, scores and decisions of one class or group, each [N].
struct Outcome {
    std::vector<std::uint8_t> labels;
    std::vector<double> scores;
    std::vector<std::uint8_t> decisions;
    std::vector<std::uint8_t> tuned_decisions;  ///< empty without thresholds
};

/// Mean of the values that are there.
class MeanOfPresent {
public:
    void add(std::optional<double> value) {
        if (!value) return;
        sum_ += *value;
        ++count_;
    }
    std::optional<double> value() const {
        if (count_ == 0) return std::nullopt;
        return sum_ / static_cast<double>(count_);
    }

private:
    double sum_ = 0;
    std::int64_t count_ = 0;
};

double sigmoid(float logit) {
    const double x = logit;
    if (std::isnan(x)) return 0;
    if (x >= 0) return 1.0 / (1.0 + std::exp(-x));
    const double e = std::exp(x);
    return e / (1.0 + e);
}

std::size_t record_count(const LabelSet& set, std::span<const std::uint8_t> labels, std::span<const float> logits) {
    const std::size_t classes = set.classes.size();
    if (classes == 0 || labels.size() != logits.size() || labels.size() % classes != 0)
        throw std::invalid_argument("labels and logits are not both [N, classes of " + set.name + "]");
    return labels.size() / classes;
}

Outcome outcome_of_class(const LabelSet& set, std::size_t index, std::span<const std::uint8_t> labels,
                         std::span<const float> logits, std::span<const double> thresholds) {
    const std::size_t classes = set.classes.size();
    const std::size_t records = labels.size() / classes;
    Outcome outcome;
    outcome.labels.resize(records);
    outcome.scores.resize(records);
    outcome.decisions.resize(records);
    if (!thresholds.empty()) outcome.tuned_decisions.resize(records);
    for (std::size_t n = 0; n < records; ++n) {
        const double score = sigmoid(logits[n * classes + index]);
        outcome.labels[n] = labels[n * classes + index] != 0 ? 1 : 0;
        outcome.scores[n] = score;
        outcome.decisions[n] = score >= kThreshold ? 1 : 0;
        if (!thresholds.empty()) outcome.tuned_decisions[n] = score >= thresholds[index] ? 1 : 0;
    }
    return outcome;
}

/// OR of labels and decisions, mean of scores.
Outcome merged(const std::vector<Outcome>& members) {
    Outcome group = members.front();
    for (std::size_t m = 1; m < members.size(); ++m) {
        for (std::size_t n = 0; n < group.labels.size(); ++n) {
            group.labels[n] |= members[m].labels[n];
            group.scores[n] += members[m].scores[n];
            group.decisions[n] |= members[m].decisions[n];
            if (!group.tuned_decisions.empty()) group.tuned_decisions[n] |= members[m].tuned_decisions[n];
        }
    }
    if (members.size() > 1)
        for (double& score : group.scores) score /= static_cast<double>(members.size());
    return group;
}

std::vector<Outcome> outcomes_of_members(const LabelSet& set, std::size_t group, std::span<const std::uint8_t> labels,
                                         std::span<const float> logits, std::span<const double> thresholds) {
    std::vector<Outcome> members;
    for (const std::size_t index : set.groups[group])
        members.push_back(outcome_of_class(set, index, labels, logits, thresholds));
    return members;
}

/// The figures of one class or group, in the order of evaluate.hpp.
struct ClassFigures {
    Confusion counts;
    RankingFigures ranking;
    std::optional<double> f1_tuned;
};

ClassFigures figures_of(const Outcome& outcome) {
    ClassFigures figures{
        confusion(outcome.labels, outcome.decisions), ranking_figures(outcome.labels, outcome.scores), {}};
    if (!outcome.tuned_decisions.empty()) figures.f1_tuned = confusion(outcome.labels, outcome.tuned_decisions).f1();
    return figures;
}

/// Gathers rows, and what the figures over all are made of.
class Evaluation {
public:
    Evaluation(const LabelSet& set, std::size_t records, const std::string& split, bool is_tuned)
        : set_(set), records_(records), split_(split), is_tuned_(is_tuned) {
        group_labels_.resize(records * set.groups.size());
        group_decisions_.resize(records * set.groups.size());
    }

    void add_group(std::size_t group, const std::vector<Outcome>& members) {
        const Outcome outcome = merged(members);
        const ClassFigures figures = figures_of(outcome);
        add_rows(set_.group_code(group), figures);
        positives_ += figures.counts.positives();
        f1_.add(figures.counts.f1());
        auroc_.add(figures.ranking.auroc);
        auprc_.add(figures.ranking.auprc);
        accuracy_.add(figures.counts.accuracy());
        f1_tuned_.add(figures.f1_tuned);
        if (figures.counts.positives() >= kEnoughPositives) auroc_20_.add(figures.ranking.auroc);
        if (records_ > 0)
            all_negative_.add(static_cast<double>(figures.counts.negatives()) / static_cast<double>(records_));
        for (std::size_t n = 0; n < records_; ++n) {
            group_labels_[n * set_.groups.size() + group] = outcome.labels[n];
            group_decisions_[n * set_.groups.size() + group] = outcome.decisions[n];
        }
        if (members.size() == 1) {
            f1_single_.add(figures.counts.f1());
            return;
        }
        for (std::size_t m = 0; m < members.size(); ++m) {
            const ClassFigures single = figures_of(members[m]);
            add_rows(set_.classes[set_.groups[group][m]].code, single);
            f1_single_.add(single.counts.f1());
        }
    }

    std::vector<Metric> finish() {
        add("", "macro_f1", f1_.value(), positives_);
        add("", "macro_auroc", auroc_.value(), positives_);
        add("", "macro_auprc", auprc_.value(), positives_);
        add("", "accuracy", accuracy_.value(), positives_);
        add("", "subset_accuracy", subset_accuracy(), positives_);
        add("", "macro_auroc_20", auroc_20_.value(), positives_);
        add("", "macro_f1_30", f1_single_.value(), positives_);
        add("", "accuracy_all_negative", all_negative_.value(), positives_);
        if (const auto score = challenge_score(set_, group_labels_, group_decisions_))
            add("", "challenge_score", score, positives_);
        if (is_tuned_) add("", "macro_f1_tuned", f1_tuned_.value(), positives_);
        return std::move(metrics_);
    }

private:
    void add(const std::string& code, const char* name, std::optional<double> value, std::int64_t positives) {
        metrics_.push_back({split_, code, name, value, positives});
    }

    void add_rows(const std::string& code, const ClassFigures& figures) {
        const std::int64_t positives = figures.counts.positives();
        add(code, "auroc", figures.ranking.auroc, positives);
        add(code, "auprc", figures.ranking.auprc, positives);
        add(code, "f1", figures.counts.f1(), positives);
        add(code, "precision", figures.counts.precision(), positives);
        add(code, "recall", figures.counts.recall(), positives);
        add(code, "specificity", figures.counts.specificity(), positives);
        add(code, "accuracy", figures.counts.accuracy(), positives);
        if (is_tuned_) add(code, "f1_tuned", figures.f1_tuned, positives);
    }

    std::optional<double> subset_accuracy() const {
        if (records_ == 0) return std::nullopt;
        const std::size_t groups = set_.groups.size();
        std::int64_t right = 0;
        for (std::size_t n = 0; n < records_; ++n) {
            const auto begin = static_cast<std::ptrdiff_t>(n * groups);
            const auto end = begin + static_cast<std::ptrdiff_t>(groups);
            right +=
                std::equal(group_labels_.begin() + begin, group_labels_.begin() + end, group_decisions_.begin() + begin)
                    ? 1
                    : 0;
        }
        return static_cast<double>(right) / static_cast<double>(records_);
    }

    const LabelSet& set_;
    std::size_t records_;
    std::string split_;
    bool is_tuned_;
    std::vector<std::uint8_t> group_labels_;     ///< [N, G]
    std::vector<std::uint8_t> group_decisions_;  ///< [N, G]
    std::int64_t positives_ = 0;
    MeanOfPresent f1_, auroc_, auprc_, accuracy_, f1_tuned_, auroc_20_, f1_single_, all_negative_;
    std::vector<Metric> metrics_;
};

/// Mean over the groups of what `figure` makes of each.
template <class Figure>
std::optional<double> macro_mean(const LabelSet& set, std::span<const std::uint8_t> labels,
                                 std::span<const float> logits, Figure&& figure) {
    record_count(set, labels, logits);
    MeanOfPresent mean;
    for (std::size_t group = 0; group < set.groups.size(); ++group)
        mean.add(figure(merged(outcomes_of_members(set, group, labels, logits, {}))));
    return mean.value();
}

}  // namespace

std::vector<Metric> evaluate(const LabelSet& set, std::span<const std::uint8_t> labels, std::span<const float> logits,
                             const std::string& split, std::span<const double> thresholds) {
    const std::size_t records = record_count(set, labels, logits);
    if (!thresholds.empty() && thresholds.size() != set.classes.size())
        throw std::invalid_argument("thresholds are not one for each class of " + set.name);
    Evaluation evaluation(set, records, split, !thresholds.empty());
    for (std::size_t group = 0; group < set.groups.size(); ++group)
        evaluation.add_group(group, outcomes_of_members(set, group, labels, logits, thresholds));
    return evaluation.finish();
}

std::vector<double> tune_thresholds(const LabelSet& set, std::span<const std::uint8_t> labels,
                                    std::span<const float> logits) {
    record_count(set, labels, logits);
    std::vector<double> thresholds;
    for (std::size_t index = 0; index < set.classes.size(); ++index) {
        const Outcome outcome = outcome_of_class(set, index, labels, logits, {});
        thresholds.push_back(best_f1_threshold(outcome.labels, outcome.scores));
    }
    return thresholds;
}

std::optional<double> macro_auroc(const LabelSet& set, std::span<const std::uint8_t> labels,
                                  std::span<const float> logits) {
    return macro_mean(set, labels, logits, [](const Outcome& o) { return auroc(o.labels, o.scores); });
}

std::optional<double> macro_f1(const LabelSet& set, std::span<const std::uint8_t> labels,
                               std::span<const float> logits) {
    return macro_mean(set, labels, logits, [](const Outcome& o) { return confusion(o.labels, o.decisions).f1(); });
}

}  // namespace leadsweep

#include "shared/metrics/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

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

/// The figures of one class or group.
struct ClassFigures {
    Confusion counts;
    RankingFigures ranking;
    BetaFigures beta;
    std::optional<double> brier, ece;
    std::optional<double> f1_tuned, accuracy_tuned;
};

ClassFigures figures_of(const Outcome& outcome, std::span<const double> weights) {
    ClassFigures figures;
    figures.counts = confusion(outcome.labels, outcome.decisions);
    figures.ranking = ranking_figures(outcome.labels, outcome.scores);
    figures.beta = beta_figures(outcome.labels, outcome.decisions, weights);
    figures.brier = brier_score(outcome.labels, outcome.scores);
    figures.ece = calibration_error(outcome.labels, outcome.scores);
    if (outcome.tuned_decisions.empty()) return figures;
    const Confusion tuned = confusion(outcome.labels, outcome.tuned_decisions);
    figures.f1_tuned = tuned.f1();
    figures.accuracy_tuned = tuned.accuracy();
    return figures;
}

/// 1 over the number of labels of each record.
std::vector<double> record_weights(const std::vector<Outcome>& outcomes, std::size_t records) {
    std::vector<double> counts(records, 0);
    for (const Outcome& outcome : outcomes)
        for (std::size_t n = 0; n < records; ++n) counts[n] += outcome.labels[n];
    for (double& count : counts) count = 1 / std::max(count, 1.0);
    return counts;
}

/// Share of records of which every decision is right; `decisions` names the decisions of an outcome.
std::optional<double> subset_accuracy(const std::vector<Outcome>& outcomes, std::size_t records,
                                      std::vector<std::uint8_t> Outcome::*decisions) {
    if (records == 0) return std::nullopt;
    std::int64_t right = 0;
    for (std::size_t n = 0; n < records; ++n)
        right += std::all_of(outcomes.begin(), outcomes.end(),
                             [&](const Outcome& o) { return o.labels[n] == (o.*decisions)[n]; })
                     ? 1
                     : 0;
    return static_cast<double>(right) / static_cast<double>(records);
}

/// A column of all outcomes as [N, G], row-major.
std::vector<std::uint8_t> as_matrix(const std::vector<Outcome>& outcomes, std::size_t records,
                                    std::vector<std::uint8_t> Outcome::*column) {
    std::vector<std::uint8_t> matrix(records * outcomes.size());
    for (std::size_t g = 0; g < outcomes.size(); ++g)
        for (std::size_t n = 0; n < records; ++n) matrix[n * outcomes.size() + g] = (outcomes[g].*column)[n];
    return matrix;
}

/// Writes the rows of one set of predictions.
class Evaluation {
public:
    Evaluation(const LabelSet& set, std::size_t records, std::string split, bool is_tuned)
        : set_(set), records_(records), split_(std::move(split)), is_tuned_(is_tuned) {}

    std::vector<Metric> make(std::vector<Outcome> singles) {
        std::vector<Outcome> groups;
        for (const auto& group : set_.groups) {
            std::vector<Outcome> members;
            for (const std::size_t index : group) members.push_back(singles[index]);
            groups.push_back(merged(members));
        }
        const auto of_groups = all_figures(groups);
        const auto of_singles = all_figures(singles);
        for (std::size_t group = 0; group < groups.size(); ++group) {
            add_rows(set_.group_code(group), of_groups[group]);
            if (set_.groups[group].size() == 1) continue;
            for (const std::size_t index : set_.groups[group]) add_rows(set_.classes[index].code, of_singles[index]);
        }
        for (const auto& figures : of_groups) positives_ += figures.counts.positives();
        add_means(of_groups, groups, "");
        add_means(of_singles, singles, "_30");
        add_of_groups(of_groups, groups);
        return std::move(metrics_);
    }

private:
    using Values = std::vector<ClassFigures>;

    Values all_figures(const std::vector<Outcome>& outcomes) const {
        const auto weights = record_weights(outcomes, records_);
        Values figures;
        for (const Outcome& outcome : outcomes) figures.push_back(figures_of(outcome, weights));
        return figures;
    }

    void add(const std::string& name, std::optional<double> value) {
        metrics_.push_back({split_, "", name, value, positives_});
    }

    void add_rows(const std::string& code, const ClassFigures& figures) {
        const auto row = [&](const char* name, std::optional<double> value) {
            metrics_.push_back({split_, code, name, value, figures.counts.positives()});
        };
        row("auroc", figures.ranking.auroc);
        row("auprc", figures.ranking.auprc);
        row("f1", figures.counts.f1());
        row("f2", figures.beta.f2);
        row("g2", figures.beta.g2);
        row("precision", figures.counts.precision());
        row("recall", figures.counts.recall());
        row("specificity", figures.counts.specificity());
        row("accuracy", figures.counts.accuracy());
        row("brier", figures.brier);
        row("ece", figures.ece);
        if (is_tuned_) row("f1_tuned", figures.f1_tuned);
    }

    template <class Figure>
    static std::optional<double> mean(const Values& values, Figure&& figure) {
        MeanOfPresent result;
        for (const ClassFigures& one : values) result.add(figure(one));
        return result.value();
    }

    /// Share of positives of a class; nothing without records.
    std::optional<double> prevalence(const ClassFigures& figures) const {
        if (records_ == 0) return std::nullopt;
        return static_cast<double>(figures.counts.positives()) / static_cast<double>(records_);
    }

    /// Means over groups or, with suffix _30, over single classes; then what needs no model.
    void add_means(const Values& values, const std::vector<Outcome>& outcomes, const std::string& suffix) {
        using F = const ClassFigures&;
        const auto add_mean = [&](const char* name, auto figure) { add(name + suffix, mean(values, figure)); };
        add_mean("macro_f1", [](F f) { return f.counts.f1(); });
        add_mean("macro_f2", [](F f) { return f.beta.f2; });
        add_mean("macro_g2", [](F f) { return f.beta.g2; });
        add_mean("macro_precision", [](F f) { return f.counts.precision(); });
        add_mean("macro_recall", [](F f) { return f.counts.recall(); });
        add_mean("macro_specificity", [](F f) { return f.counts.specificity(); });
        add_mean("macro_auroc", [](F f) { return f.ranking.auroc; });
        add_mean("macro_auprc", [](F f) { return f.ranking.auprc; });
        add_mean("accuracy", [](F f) { return f.counts.accuracy(); });
        add_mean("macro_brier", [](F f) { return f.brier; });
        add_mean("macro_ece", [](F f) { return f.ece; });
        add("subset_accuracy" + suffix, subset_accuracy(outcomes, records_, &Outcome::decisions));
        using Optional = std::optional<double>;
        add_mean("accuracy_all_negative", [&](F f) -> Optional {
            const auto share = prevalence(f);
            return share ? Optional(1 - *share) : std::nullopt;
        });
        add_mean("macro_f1_all_positive", [&](F f) -> Optional {
            if (f.counts.positives() == 0) return records_ == 0 ? std::nullopt : Optional(0);
            const double share = *prevalence(f);
            return 2 * share / (1 + share);
        });
        add_mean("macro_auprc_prevalence",
                 [&](F f) { return f.counts.positives() > 0 ? prevalence(f) : std::nullopt; });
        add_mean("macro_brier_prevalence", [&](F f) -> Optional {
            const auto share = prevalence(f);
            return share ? Optional(*share * (1 - *share)) : std::nullopt;
        });
    }

    /// What there is over groups only.
    void add_of_groups(const Values& values, const std::vector<Outcome>& groups) {
        add("macro_auroc_20", mean(values, [](const ClassFigures& f) {
                return f.counts.positives() >= kEnoughPositives ? f.ranking.auroc : std::nullopt;
            }));
        const auto labels = as_matrix(groups, records_, &Outcome::labels);
        const std::vector<std::uint8_t> nothing(labels.size(), 0);
        if (records_ > 0) {
            std::int64_t unlabelled = 0;
            for (std::size_t n = 0; n < records_; ++n)
                unlabelled +=
                    std::none_of(groups.begin(), groups.end(), [&](const Outcome& o) { return o.labels[n] != 0; }) ? 1
                                                                                                                   : 0;
            add("subset_accuracy_all_negative", static_cast<double>(unlabelled) / static_cast<double>(records_));
        }
        const auto add_score = [&](const char* name, std::span<const std::uint8_t> decisions) {
            if (const auto score = challenge_score(set_, labels, decisions)) add(name, score);
        };
        add_score("challenge_score", as_matrix(groups, records_, &Outcome::decisions));
        add_score("challenge_score_all_negative", nothing);
        if (!is_tuned_) return;
        add("macro_f1_tuned", mean(values, [](const ClassFigures& f) { return f.f1_tuned; }));
        add("accuracy_tuned", mean(values, [](const ClassFigures& f) { return f.accuracy_tuned; }));
        add_score("challenge_score_tuned", as_matrix(groups, records_, &Outcome::tuned_decisions));
    }

    const LabelSet& set_;
    std::size_t records_;
    std::string split_;
    bool is_tuned_;
    std::int64_t positives_ = 0;
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
    std::vector<Outcome> singles;
    for (std::size_t index = 0; index < set.classes.size(); ++index)
        singles.push_back(outcome_of_class(set, index, labels, logits, thresholds));
    return Evaluation(set, records, split, !thresholds.empty()).make(std::move(singles));
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

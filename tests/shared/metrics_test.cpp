#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <random>

#include <fmt/format.h>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/text.hpp"
#include "shared/metrics/challenge_score.hpp"
#include "shared/metrics/challenge_weights.hpp"
#include "shared/metrics/classification.hpp"
#include "shared/metrics/evaluate.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

using Labels = std::vector<std::uint8_t>;
using Scores = std::vector<double>;

/// Figures of one evaluation by class code and name.
using Figures = std::map<std::pair<std::string, std::string>, std::optional<double>>;
Figures by_name(const std::vector<Metric>& metrics) {
    Figures figures;
    for (const Metric& m : metrics) figures[{m.class_code, m.name}] = m.value;
    return figures;
}

bool agrees(std::optional<double> found, double expected) {
    if (std::isnan(expected)) return !found.has_value();
    return found.has_value() && std::abs(*found - expected) <= 1e-12;
}

/// Cases of tests/reference/metrics/make_metrics.py.
struct Reference {
    ArrayFile file = load_arrays(std::string(LEADSWEEP_SOURCE_DIR) + "/tests/reference/metrics/metrics.safetensors");
    Labels packed_labels = file.at("labels_packed").values<std::uint8_t>();  ///< numpy.packbits: highest bit first
    std::vector<std::uint8_t> levels = file.at("logit_levels").values<std::uint8_t>();
    std::vector<float> scales = file.at("scales").values<float>();
    std::vector<std::int64_t> counts = file.at("record_counts").values<std::int64_t>();
    std::vector<std::int32_t> thresholds_permille = file.at("thresholds_permille").values<std::int32_t>();
    Scores macros = file.at("macros").values<double>();
    Scores groups = file.at("groups").values<double>();
    Scores best_f1 = file.at("best_f1").values<double>();
    std::vector<std::string> macro_names = split(file.metadata.at("macros"), ',');
    std::vector<std::string> group_names = split(file.metadata.at("per_group"), ',');
    std::vector<std::string> group_codes = split(file.metadata.at("groups"), ',');

    struct Case {
        Labels labels;
        std::vector<float> logits;
        Scores thresholds;
    };
    std::vector<Case> cases() const {
        constexpr std::ptrdiff_t kClasses = 30;
        std::vector<Case> made;
        std::ptrdiff_t row = 0;
        for (std::size_t c = 0; c < counts.size(); ++c) {
            const auto begin = row * kClasses;
            const auto end = begin + counts[c] * kClasses;
            Case one;
            for (auto i = begin; i < end; ++i) {
                const unsigned byte = packed_labels[static_cast<std::size_t>(i / 8)];
                one.labels.push_back(static_cast<std::uint8_t>(byte >> (7 - i % 8) & 1U));
                // Two roundings, as NumPy has them: no fused multiply-add.
                const volatile float scaled =
                    (static_cast<float>(levels[static_cast<std::size_t>(i)]) - 128.0F) * scales[c];
                one.logits.push_back(scaled + 0.013F);
            }
            const auto first = static_cast<std::ptrdiff_t>(c) * kClasses;
            for (auto i = first; i < first + kClasses; ++i)
                one.thresholds.push_back(thresholds_permille[static_cast<std::size_t>(i)] / 1000.0);
            made.push_back(std::move(one));
            row += counts[c];
        }
        return made;
    }
};

}  // namespace

TEST_CASE("AUROC counts ties half", "[metrics]") {
    CHECK(auroc(Labels{1, 0, 1, 0}, Scores{0.9, 0.1, 0.8, 0.2}) == 1.0);
    CHECK(auroc(Labels{1, 0, 1, 0}, Scores{0.5, 0.5, 0.5, 0.5}) == 0.5);
    CHECK(auroc(Labels{1, 0, 0, 1}, Scores{0.4, 0.4, 0.3, 0.2}) == 0.375);  // (0.5 + 1 + 0 + 0) / 4
    CHECK_FALSE(auroc(Labels{1, 1}, Scores{0.1, 0.2}));
    CHECK_FALSE(auroc(Labels{0, 0}, Scores{0.1, 0.2}));
    CHECK_FALSE(auroc({}, {}));
}

TEST_CASE("AUPRC is the average precision without interpolation", "[metrics]") {
    // Ranked + - +: precision 1 at recall 1/2, 2/3 at recall 1.
    CHECK(auprc(Labels{1, 0, 1}, Scores{0.9, 0.8, 0.7}).value() == Approx(0.5 * 1 + 0.5 * 2 / 3).epsilon(1e-15));
    CHECK(auprc(Labels{1, 0, 0, 0}, Scores{0.5, 0.5, 0.5, 0.5}) == 0.25);
    CHECK(auprc(Labels{1, 1}, Scores{0.1, 0.2}) == 1.0);
    CHECK_FALSE(auprc(Labels{0, 0}, Scores{0.1, 0.2}));
}

TEST_CASE("Figures that divide 0 by 0 are missing", "[metrics]") {
    const Confusion silent = confusion(Labels{0, 0}, Labels{0, 0});
    CHECK_FALSE(silent.f1());
    CHECK_FALSE(silent.precision());
    CHECK_FALSE(silent.recall());
    CHECK(silent.specificity() == 1.0);
    const Confusion counts = confusion(Labels{1, 1, 1, 0, 0}, Labels{1, 1, 0, 1, 0});
    CHECK(counts.f1().value() == Approx(4.0 / 6));
    CHECK(counts.precision().value() == Approx(2.0 / 3));
    CHECK(counts.recall().value() == Approx(2.0 / 3));
    CHECK(counts.specificity() == 0.5);
    CHECK(counts.accuracy() == 0.6);
}

TEST_CASE("The embedded weights are symmetric, have a unit diagonal and the published mean beside it", "[metrics]") {
    double sum = 0;
    for (std::size_t i = 0; i < kChallengeGroupCount; ++i) {
        CHECK(kChallengeWeights[i][i] == 1.0);
        for (std::size_t j = 0; j < kChallengeGroupCount; ++j) {
            CHECK(kChallengeWeights[i][j] == kChallengeWeights[j][i]);
            if (i != j) sum += kChallengeWeights[i][j];
        }
    }
    CHECK(sum / (26 * 25) == Approx(0.400).margin(5e-4));
    const LabelSet& set = label_set("challenge2021");
    for (std::size_t group = 0; group < set.groups.size(); ++group) {
        const auto found = std::find(kChallengeGroupCodes.begin(), kChallengeGroupCodes.end(), set.group_code(group));
        CHECK(found != kChallengeGroupCodes.end());
    }
}

TEST_CASE("The embedded weights are those of the official file", "[metrics]") {
    const char* folder = std::getenv("LEADSWEEP_ECG");
    const std::string path = (folder != nullptr ? std::string(folder) : LEADSWEEP_SOURCE_DIR "/../shared/ecg") +
                             std::string("/challenge2021/weights.csv");
    std::ifstream file(path);
    if (!file) LEADSWEEP_SKIP(path << " is not there");
    const auto header = read_csv_row(file).value();
    REQUIRE(header.size() == kChallengeGroupCount + 1);
    for (std::size_t i = 0; i < kChallengeGroupCount; ++i) {
        CHECK(header[i + 1] == kChallengeGroupCodes[i]);
        const auto row = read_csv_row(file).value();
        for (std::size_t j = 0; j < kChallengeGroupCount; ++j) CHECK(std::stod(row[j + 1]) == kChallengeWeights[i][j]);
    }
}

TEST_CASE("The Challenge score is 1 for the labels, 0 for sinus rhythm alone, and rewards near misses", "[metrics]") {
    const LabelSet& set = label_set("challenge2021");
    const auto group_of = [&](std::string_view code) {
        std::size_t group = 0;
        while (set.group_code(group) != code) ++group;
        return group;
    };
    const std::size_t af = group_of("164889003");
    const std::size_t flutter = group_of("164890007");
    const std::size_t sinus = group_of("426783006");
    Labels labels(26, 0);
    labels[af] = 1;
    Labels outputs(26, 0);
    SECTION("right") {
        CHECK(challenge_score(set, labels, labels) == 1.0);
    }
    SECTION("sinus rhythm") {
        outputs[sinus] = 1;
        CHECK(challenge_score(set, labels, outputs) == 0.0);
    }
    SECTION("a near miss") {
        // A = 1/2 at (AF, flutter), weight 0.5; sinus rhythm alone: 0.25 / 2 (weight 0.25).
        outputs[flutter] = 1;
        CHECK(challenge_score(set, labels, outputs).value() == Approx((0.25 - 0.125) / (1 - 0.125)).epsilon(1e-14));
    }
    SECTION("records without labels alone give 0") {
        CHECK(challenge_score(set, Labels(26, 0), outputs) == 0.0);
    }
    CHECK_FALSE(challenge_score(set, {}, {}));
    const LabelSet small{"small", {{"426783006", "NSR", "sinus rhythm"}}, {{0}}};
    CHECK_FALSE(challenge_score(small, Labels{1}, Labels{1}));
}

TEST_CASE("Figures over all agree with the official scorers on a thousand cases", "[metrics][reference]") {
    const Reference reference;
    const auto cases = reference.cases();
    REQUIRE(cases.size() == 1000);
    const LabelSet& set = label_set("challenge2021");
    std::int64_t disagreements = 0;
    for (std::size_t c = 0; c < cases.size(); ++c) {
        const auto& one = cases[c];
        const Figures figures = by_name(evaluate(set, one.labels, one.logits, "test", one.thresholds));
        for (std::size_t m = 0; m < reference.macro_names.size(); ++m) {
            const double expected = reference.macros[c * reference.macro_names.size() + m];
            const auto found = figures.at({"", reference.macro_names[m]});
            if (agrees(found, expected)) continue;
            ++disagreements;
            UNSCOPED_INFO(fmt::format("case {} {}: {} instead of {}", c, reference.macro_names[m],
                                      found ? fmt::format("{}", *found) : "missing", expected));
        }
        if (macro_auroc(set, one.labels, one.logits) != figures.at({"", "macro_auroc"})) ++disagreements;
        if (macro_f1(set, one.labels, one.logits) != figures.at({"", "macro_f1"})) ++disagreements;
    }
    CHECK(disagreements == 0);
}

TEST_CASE("Figures of each group agree with the official scorers", "[metrics][reference]") {
    const Reference reference;
    const auto cases = reference.cases();
    const std::size_t width = reference.group_names.size();
    const std::size_t per_case = reference.group_codes.size() * width;
    const std::size_t detailed = reference.groups.size() / per_case;
    REQUIRE(detailed >= 50);
    std::int64_t disagreements = 0;
    for (std::size_t c = 0; c < detailed; ++c) {
        const Figures figures = by_name(evaluate(label_set("challenge2021"), cases[c].labels, cases[c].logits, "test"));
        for (std::size_t g = 0; g < reference.group_codes.size(); ++g)
            for (std::size_t m = 0; m < width; ++m)
                if (!agrees(figures.at({reference.group_codes[g], reference.group_names[m]}),
                            reference.groups[c * per_case + g * width + m]))
                    ++disagreements;
    }
    CHECK(disagreements == 0);
}

TEST_CASE("Tuned thresholds reach the best F1 that any threshold gives", "[metrics][reference]") {
    const Reference reference;
    const auto cases = reference.cases();
    const LabelSet& set = label_set("challenge2021");
    const std::size_t classes = set.classes.size();
    for (std::size_t c = 0; c < reference.best_f1.size() / classes; ++c) {
        const auto thresholds = tune_thresholds(set, cases[c].labels, cases[c].logits);
        const Figures figures = by_name(evaluate(set, cases[c].labels, cases[c].logits, "validation", thresholds));
        for (std::size_t k = 0; k < classes; ++k) {
            const double best = reference.best_f1[c * classes + k];
            const auto found = figures.find({set.classes[k].code, "f1_tuned"});
            if (std::isnan(best))
                CHECK(thresholds[k] == 0.5);
            else if (found != figures.end())
                CHECK(agrees(found->second, best));
        }
    }
}

TEST_CASE("A score that is no number counts as a negative decision at the very end", "[metrics]") {
    const LabelSet set{"two", {{"a", "A", "a"}}, {{0}}};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinite = std::numeric_limits<float>::infinity();
    const Figures figures =
        by_name(evaluate(set, Labels{1, 0, 1, 0}, std::vector<float>{infinite, nan, 3.0F, -infinite}, "test"));
    CHECK(figures.at({"a", "auroc"}) == 1.0);
    CHECK(figures.at({"a", "f1"}) == 1.0);
    CHECK(figures.count({"", "challenge_score"}) == 0);
}

TEST_CASE("Without any positive decision the baselines are what evaluate computes", "[metrics]") {
    const LabelSet& set = label_set("challenge2021");
    const auto one = Reference().cases().at(0);
    const std::vector<float> never(one.logits.size(), -9.0F);
    const std::vector<float> always(one.logits.size(), 9.0F);
    const Figures negative = by_name(evaluate(set, one.labels, never, "test"));
    const Figures positive = by_name(evaluate(set, one.labels, always, "test"));
    CHECK(negative.at({"", "accuracy"}) == negative.at({"", "accuracy_all_negative"}));
    CHECK(negative.at({"", "accuracy_30"}) == negative.at({"", "accuracy_all_negative_30"}));
    CHECK(negative.at({"", "subset_accuracy"}) == negative.at({"", "subset_accuracy_all_negative"}));
    CHECK(negative.at({"", "challenge_score"}) == negative.at({"", "challenge_score_all_negative"}));
    CHECK(positive.at({"", "macro_f1"}).value() ==
          Approx(positive.at({"", "macro_f1_all_positive"}).value()).epsilon(1e-12));
    // A constant score ranks nothing: its precision at full recall is the share of positives.
    CHECK(positive.at({"", "macro_auprc"}).value() ==
          Approx(positive.at({"", "macro_auprc_prevalence"}).value()).epsilon(1e-12));
}

TEST_CASE("The 26 groups as classes are scored like the groups of the 30 classes", "[metrics]") {
    const LabelSet& thirty = label_set("challenge2021");
    const LabelSet& groups = label_set("challenge2021_groups");
    REQUIRE(groups.classes.size() == 26);
    for (std::size_t g = 0; g < 26; ++g) CHECK(groups.group_code(g) == thirty.group_code(g));
    CHECK(groups.find("59118001") == groups.find("713427006"));
    const Labels labels(26 * 4, 1);
    CHECK(challenge_score(groups, labels, labels) == 1.0);
}

TEST_CASE("Without records everything is missing, and shapes that do not fit are refused", "[metrics]") {
    const LabelSet& set = label_set("challenge2021");
    for (const Metric& metric : evaluate(set, {}, {}, "test")) {
        INFO(metric.name);
        CHECK_FALSE(metric.value);
        CHECK(metric.n_positive == 0);
    }
    CHECK_THROWS_AS(evaluate(set, Labels(29), std::vector<float>(29), "test"), std::invalid_argument);
    CHECK_THROWS_AS(evaluate(set, Labels(30), std::vector<float>(30), "test", Scores{0.5}), std::invalid_argument);
}

TEST_CASE("The synthetic label set has a Challenge score and a figure for each planted sign", "[metrics]") {
    const LabelSet& set = label_set("synthetic");
    const std::size_t classes = set.classes.size();
    std::mt19937 random(3);
    Labels labels(50 * classes);
    std::vector<float> logits(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        labels[i] = random() % 4 == 0 ? 1 : 0;
        logits[i] = labels[i] != 0 ? 1.0F : -1.0F;
    }
    const Figures figures = by_name(evaluate(set, labels, logits, "test"));
    CHECK(figures.at({"", "challenge_score"}) == 1.0);
    CHECK(figures.at({"planted-V2", "auroc"}) == 1.0);
    CHECK(figures.at({"", "subset_accuracy"}) == 1.0);
}

TEST_CASE("How long an evaluation of 9,000 records takes is printed", "[metrics][.bench]") {
    const LabelSet& set = label_set("challenge2021");
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    Labels labels(9000 * set.classes.size());
    std::vector<float> logits(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        labels[i] = random() % 20 == 0 ? 1 : 0;
        logits[i] = normal(random);
    }
    const auto time_of = [](auto&& work) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    };
    std::cout << "evaluate: " << time_of([&] { evaluate(set, labels, logits, "test"); })
              << " ms, macro_auroc: " << time_of([&] { macro_auroc(set, labels, logits); }) << " ms\n";
    SUCCEED();
}

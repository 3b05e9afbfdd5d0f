#include "orchestrator/statistics/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "shared/metrics/classification.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

std::vector<std::int32_t> ascending(const std::vector<float>& scores) {
    std::vector<std::int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
    });
    return order;
}

/// Two classes; configuration B ranks better by `gain`. Each patient has two records.
PairedFold fold_with(double gain, std::uint64_t seed, std::int32_t patients) {
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> normal;
    PairedFold fold;
    fold.classes = 2;
    for (std::int32_t patient = 0; patient < patients; ++patient) {
        for (int record = 0; record < 2; ++record) {
            fold.patient.push_back(patient);
            for (int k = 0; k < 2; ++k) {
                const bool is_positive = (patient + k) % 3 == 0;
                fold.labels.push_back(is_positive ? 1 : 0);
                const double noise = normal(generator);
                fold.scores_a.push_back(static_cast<float>(noise + (is_positive ? 0.5 : 0)));
                fold.scores_b.push_back(static_cast<float>(normal(generator) + (is_positive ? 0.5 + gain : 0)));
            }
        }
    }
    return fold;
}

}  // namespace

TEST_CASE("The weighted AUROC equals scikit-learn's with sample weights, and the plain one with weights of 1",
          "[statistics]") {
    std::ifstream file(LEADSWEEP_SOURCE_DIR "/tests/reference/statistics/statistics.json");
    const auto reference = nlohmann::json::parse(file).at("weighted_auroc");
    const auto scores = reference.at("scores").get<std::vector<float>>();
    const auto labels = reference.at("labels").get<std::vector<std::uint8_t>>();
    const auto weights = reference.at("weights").get<std::vector<std::int32_t>>();
    CHECK(weighted_auroc(labels, scores, ascending(scores), weights).value() ==
          Approx(reference.at("auroc").get<double>()).epsilon(1e-12));
    const std::vector<std::int32_t> once(labels.size(), 1);
    const std::vector<double> wide(scores.begin(), scores.end());
    CHECK(weighted_auroc(labels, scores, ascending(scores), once).value() ==
          Approx(auroc(labels, wide).value()).epsilon(1e-12));
    CHECK_FALSE(weighted_auroc(labels, scores, ascending(scores), std::vector<std::int32_t>(labels.size(), 0)));
}

TEST_CASE("The bootstrap finds a real difference, covers none, and repeats itself", "[statistics]") {
    const std::vector<PairedFold> better{fold_with(1.5, 1, 60), fold_with(1.5, 2, 60)};
    const auto found = bootstrap_auroc_difference(better, 500, 7);
    REQUIRE(found);
    CHECK(found->interval.low > 0);
    CHECK(found->interval.low < found->difference);
    CHECK(found->difference < found->interval.high);
    CHECK(found->patients == 120);
    CHECK(found->classes == 2);
    const auto again = bootstrap_auroc_difference(better, 500, 7);
    CHECK(again->interval.low == found->interval.low);
    const auto none = bootstrap_auroc_difference(std::vector{fold_with(0, 3, 60), fold_with(0, 4, 60)}, 500, 7);
    CHECK(none->interval.low < 0);
    CHECK(none->interval.high > 0);
}

// Records of one patient are copies here: drawing records instead of patients would halve the variance.
TEST_CASE("Patients are drawn whole", "[statistics]") {
    PairedFold copied = fold_with(0.5, 5, 80);
    for (std::size_t row = 1; row < copied.patient.size(); row += 2)
        for (std::size_t k = 0; k < 2; ++k) {
            copied.scores_a[row * 2 + k] = copied.scores_a[(row - 1) * 2 + k];
            copied.scores_b[row * 2 + k] = copied.scores_b[(row - 1) * 2 + k];
        }
    PairedFold by_record = copied;
    std::iota(by_record.patient.begin(), by_record.patient.end(), 0);
    const auto width = [](const BootstrapDifference& b) { return b.interval.high - b.interval.low; };
    const auto whole = bootstrap_auroc_difference(std::vector{copied}, 1000, 1);
    const auto torn = bootstrap_auroc_difference(std::vector{by_record}, 1000, 1);
    CHECK(width(*whole) / width(*torn) == Approx(std::sqrt(2.0)).epsilon(0.15));
}

TEST_CASE("Only classes with positives and negatives in every fold are averaged", "[statistics]") {
    std::vector<PairedFold> folds{fold_with(1, 1, 30), fold_with(1, 2, 30)};
    for (std::size_t row = 0; row < folds[1].patient.size(); ++row) folds[1].labels[row * 2 + 1] = 0;
    CHECK(bootstrap_auroc_difference(folds, 100, 1)->classes == 1);
    for (auto& label : folds[0].labels) label = 0;
    CHECK_FALSE(bootstrap_auroc_difference(folds, 100, 1));
    CHECK_FALSE(bootstrap_auroc_difference({}, 100, 1));
    folds[0].labels.pop_back();
    CHECK_THROWS_AS(bootstrap_auroc_difference(folds, 100, 1), std::invalid_argument);
}

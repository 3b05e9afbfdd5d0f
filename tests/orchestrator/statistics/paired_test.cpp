#include "orchestrator/statistics/paired.hpp"

#include <cmath>
#include <fstream>
#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/statistics/holm.hpp"
#include "orchestrator/statistics/student_t.hpp"
#include "orchestrator/statistics/summary.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

const nlohmann::json& reference() {
    static const auto values = [] {
        std::ifstream file(LEADSWEEP_SOURCE_DIR "/tests/reference/statistics/statistics.json");
        return nlohmann::json::parse(file);
    }();
    return values;
}

std::vector<double> differences(const nlohmann::json& one) {
    const auto a = one.at("a").get<std::vector<double>>();
    const auto b = one.at("b").get<std::vector<double>>();
    std::vector<double> d;
    for (std::size_t i = 0; i < a.size(); ++i) d.push_back(a[i] - b[i]);
    return d;
}

double ratio_of(const nlohmann::json& one) {
    return one.at("n_test").get<double>() / one.at("n_train").get<double>();
}

/// Within 1e-9 of the value, or of 1 where the value is smaller; p values far in the tails by their ratio. `rounding`:
/// of values that are differences from 1, and so have no more digits.
void check_equal(double found, const nlohmann::json& expected, double rounding = 0) {
    const auto value = expected.get<double>();
    CHECK(std::abs(found - value) <= 1e-9 * std::max(1.0, std::abs(value)));
    if (std::abs(value) < 1e-3) CHECK(found == Approx(value).epsilon(1e-9).margin(rounding));
}

}  // namespace

TEST_CASE("The corrected t-test equals correctR's resampled and repeated k-fold tests", "[statistics]") {
    const auto all = reference().at("cases");
    std::vector<double> p_values;
    for (const auto& one : all) {
        INFO(one.at("name"));
        const auto test = corrected_t_test(differences(one), ratio_of(one));
        REQUIRE(test);
        check_equal(test->t.value(), one.at("correctr").at("t"));
        check_equal(test->p.value(), one.at("correctr").at("p"));
        p_values.push_back(*test->p);
    }
    const auto adjusted = holm_adjusted(p_values);
    for (std::size_t i = 0; i < all.size(); ++i) check_equal(adjusted[i], all[i].at("correctr").at("p_holm"));
}

TEST_CASE("Corrected intervals and detectable differences equal SciPy's", "[statistics]") {
    for (const auto& one : reference().at("cases")) {
        INFO(one.at("name"));
        const auto& scipy = one.at("scipy");
        const auto test = corrected_t_test(differences(one), ratio_of(one));
        check_equal(test->interval.low, scipy.at("low"));
        check_equal(test->interval.high, scipy.at("high"));
        check_equal(detectable_effect(test->n) * corrected_error(test->sd, test->n, ratio_of(one)),
                    scipy.at("detectable"));
        const auto of_a = corrected_interval(one.at("a").get<std::vector<double>>(), ratio_of(one));
        check_equal(of_a->low, scipy.at("interval_of_a").at(0));
        check_equal(of_a->high, scipy.at("interval_of_a").at(1));
    }
}

TEST_CASE("The Bayesian correlated t-test equals baycomp's", "[statistics]") {
    for (const auto& one : reference().at("cases")) {
        INFO(one.at("name"));
        for (const auto& expected : one.at("baycomp")) {
            const auto found = bayesian_correlated_t_test(differences(one), expected.at("ratio"), expected.at("rope"));
            check_equal(found->better, expected.at("better"), 1e-15);
            check_equal(found->equivalent, expected.at("equivalent"), 1e-15);
            check_equal(found->worse, expected.at("worse"), 1e-15);
        }
    }
}

TEST_CASE("Of one fold nothing is tested, and differences that do not vary are told apart", "[statistics]") {
    CHECK_FALSE(corrected_interval(std::vector{0.3}, 0.1));
    CHECK_FALSE(corrected_t_test(std::vector{0.3}, 0.1));
    CHECK_FALSE(bayesian_correlated_t_test(std::vector{0.3}, 0.1, 0.01));
    const auto same = corrected_t_test(std::vector{0.0, 0.0, 0.0}, 0.1);
    CHECK(same->p == 1.0);
    CHECK_FALSE(same->t);
    const auto shifted = corrected_t_test(std::vector{0.1, 0.1, 0.1}, 0.1);
    CHECK_FALSE(shifted->p);
    CHECK(bayesian_correlated_t_test(std::vector{0.1, 0.1, 0.1}, 0.1, 0.01)->better == 1.0);
    CHECK(bayesian_correlated_t_test(std::vector{0.0, 0.0}, 0.1, 0.0)->equivalent == 1.0);
}

// Folds i and i + 1 of ten are tested and steer training: 8 of 10 train, so n_test / n_train is 1 / 8, and fold values
// are as correlated as rho = n_test / (n_test + n_train) = 1 / 9. The naive test is the negative control.
TEST_CASE("Under simulated nulls the corrected test keeps its level, and the naive one does not", "[statistics]") {
    constexpr int kSweeps = 2000;
    constexpr int kFolds = 10;
    constexpr double kRatio = 1.0 / 8;
    constexpr double kRho = kRatio / (1 + kRatio);
    std::mt19937_64 generator(20);
    std::normal_distribution<double> normal;
    int corrected = 0;
    int naive = 0;
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
        const double common = std::sqrt(kRho) * normal(generator);
        std::vector<double> d;
        for (int fold = 0; fold < kFolds; ++fold)
            d.push_back(0.01 * (common + std::sqrt(1 - kRho) * normal(generator)));
        if (corrected_t_test(d, kRatio)->p.value() < 0.05) ++corrected;
        if (corrected_t_test(d, 0)->p.value() < 0.05) ++naive;
    }
    const double corrected_rate = static_cast<double>(corrected) / kSweeps;
    const double naive_rate = static_cast<double>(naive) / kSweeps;
    std::cout << "rejected at 0.05: corrected " << corrected_rate << ", naive " << naive_rate << std::endl;
    CHECK(corrected_rate >= 0.036);
    CHECK(corrected_rate <= 0.064);
    CHECK(naive_rate > 0.12);
}

TEST_CASE("A difference of the detectable size is found with the power it promises", "[statistics]") {
    constexpr int kSweeps = 4000;
    std::mt19937_64 generator(3);
    std::normal_distribution<double> normal;
    const double gain = detectable_effect(10) * corrected_error(1.0, 10, 0);
    int found = 0;
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
        std::vector<double> d;
        for (int fold = 0; fold < 10; ++fold) d.push_back(gain + normal(generator));
        if (corrected_t_test(d, 0)->p.value() < 0.05) ++found;
    }
    CHECK(static_cast<double>(found) / kSweeps == Approx(kPower).margin(0.02));
}

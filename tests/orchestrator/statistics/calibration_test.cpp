#include "orchestrator/statistics/calibration.hpp"

#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("Reliability equals scikit-learn's calibration curve, thresholds its F1, precision and recall",
          "[statistics]") {
    std::ifstream file(LEADSWEEP_SOURCE_DIR "/tests/reference/statistics/statistics.json");
    const auto reference = nlohmann::json::parse(file).at("calibration");
    std::vector<ScoreHistogram> classes(2);
    for (std::size_t k = 0; k < 2; ++k) {
        const auto scores = reference.at("scores").at(k).get<std::vector<float>>();
        const auto labels = reference.at("labels").at(k).get<std::vector<int>>();
        for (std::size_t n = 0; n < scores.size(); ++n) classes[k].add(scores[n], labels[n] != 0);
    }
    const auto found = calibration(classes);
    REQUIRE(found);
    REQUIRE(found->bins.size() == reference.at("observed").size());
    for (std::size_t b = 0; b < found->bins.size(); ++b) {
        CHECK(found->bins[b].observed == Approx(reference.at("observed")[b].get<double>()).epsilon(1e-9));
        CHECK(found->bins[b].score == Approx(reference.at("predicted")[b].get<double>()).epsilon(1e-6));
    }
    const auto curve = threshold_curve(classes);
    REQUIRE(curve.size() == 49);
    for (const auto& expected : reference.at("thresholds")) {
        const auto& point = curve[expected.at("index").get<std::size_t>()];
        CHECK(point.threshold == Approx(expected.at("threshold").get<double>()));
        CHECK(point.f1 == Approx(expected.at("f1").get<double>()).epsilon(1e-9));
        CHECK(point.precision == Approx(expected.at("precision").get<double>()).epsilon(1e-9));
        CHECK(point.recall == Approx(expected.at("recall").get<double>()).epsilon(1e-9));
    }
}

TEST_CASE("Without predictions there is no calibration, without positives no curve", "[statistics]") {
    CHECK_FALSE(calibration({}));
    std::vector<ScoreHistogram> classes(1);
    classes[0].add(0.5F, false);
    CHECK(calibration(classes)->expected_error == Approx(0.5));
    CHECK(threshold_curve(classes).empty());
}

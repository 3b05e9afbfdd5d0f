#include "orchestrator/schedule/durations.hpp"

#include <cmath>
#include <random>

#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

JobFeatures features(const std::string& loss = "bce", double sampling_hz = 100, std::int64_t epochs = 10) {
    return {"inception", loss, "cuda", "lime", sampling_hz, epochs, 6, 32, 1000, 1};
}

DurationEstimate certain(double seconds) {
    return {seconds, seconds, seconds, 0, 1000000, 0};
}

}  // namespace

TEST_CASE("Nothing is known before three like jobs are finished", "[durations]") {
    CHECK_FALSE(DurationModel().estimate(features()));
    CHECK_FALSE(DurationModel({{features(), 10}, {features(), 11}, {features(), 0}}).estimate(features()));
    CHECK(DurationModel({{features(), 10}, {features(), 11}, {features(), 12}}).estimate(features()));
}

TEST_CASE("The median of jobs of the same configuration is what a job takes", "[durations]") {
    const DurationModel model({{features(), 10}, {features(), 20}, {features(), 40}, {features("focal"), 1000}});
    const auto estimate = model.estimate(features()).value();
    CHECK(estimate.median_s == Approx(20));
    CHECK(estimate.samples == 3);
    // Residuals of the logarithm: -log 2, 0, log 2. Student's t has 2 degrees of freedom, its 90 % quantile is 1.8856.
    const double sd = std::log(2.0);
    CHECK(estimate.log_sd == Approx(sd));
    const double reach = 1.8856 * sd * std::sqrt(1 + M_PI / 6);
    CHECK(estimate.high_s == Approx(20 * std::exp(reach)).epsilon(0.01));
    CHECK(estimate.low_s == Approx(20 * std::exp(-reach)).epsilon(0.01));
}

TEST_CASE("A configuration that was never run is scaled by its work", "[durations]") {
    const DurationModel model({{features(), 10}, {features(), 10}, {features(), 10}});
    CHECK(model.estimate(features("soft_f1"))->median_s == Approx(10));  // the loss does not matter much
    CHECK(model.estimate(features("bce", 500, 20))->median_s == Approx(100));
    JobFeatures larger = features();
    larger.n_train = 3000;
    larger.depth = 12;
    larger.filters = 16;
    CHECK(model.estimate(larger)->median_s == Approx(30));
    JobFeatures other_network = features();
    other_network.model = "fcn";
    CHECK(model.estimate(other_network)->median_s == Approx(10));
    JobFeatures other_device = features();
    other_device.device_kind = "cpu";
    CHECK_FALSE(model.estimate(other_device));
}

TEST_CASE("Nearer jobs go before more jobs", "[durations]") {
    std::vector<DurationSample> samples(50, {features("bce", 500), 1000});
    for (int i = 0; i < 3; ++i) samples.push_back({features("bce", 100), 10});
    const DurationModel model(samples);
    CHECK(model.estimate(features("bce", 100))->median_s == Approx(10));
    CHECK(model.estimate(features("focal", 500))->median_s == Approx(1000));
}

TEST_CASE("The interval holds four of five jobs, however few are known", "[durations]") {
    for (const int known : {3, 5, 20}) {
        std::mt19937_64 random(7);
        std::normal_distribution<double> error(0, 0.3);
        int inside = 0;
        constexpr int kTrials = 4000;
        for (int trial = 0; trial < kTrials; ++trial) {
            std::vector<DurationSample> samples;
            for (int i = 0; i < known; ++i) samples.push_back({features(), 60 * std::exp(error(random))});
            const auto estimate = DurationModel(samples).estimate(features()).value();
            const double actual = 60 * std::exp(error(random));
            inside += actual >= estimate.low_s && actual <= estimate.high_s;
        }
        INFO(known << " known jobs: " << inside << " of " << kTrials);
        CHECK(inside > 0.76 * kTrials);
        CHECK(inside < 0.86 * kTrials);
    }
}

TEST_CASE("Jobs of known length are priced exactly", "[durations]") {
    // Two devices: 3 + 1 on one, 2 + 2 on the other, in this order.
    const std::vector<PlannedDuration> jobs{{certain(3), 1}, {certain(2), 1}, {certain(2), 1}, {certain(1), 1}};
    const Price price = price_of(jobs, 2);
    CHECK(price.makespan_s.low == Approx(4));
    CHECK(price.makespan_s.high == Approx(4));
    CHECK(price.device_hours.median == Approx(8.0 / 3600));
    // A gang waits for both devices.
    const std::vector<PlannedDuration> gangs{{certain(3), 1}, {certain(2), 2}, {certain(1), 1}};
    CHECK(price_of(gangs, 2).makespan_s.median == Approx(6));
    CHECK(price_of(gangs, 2).device_hours.median == Approx(8.0 / 3600));
    CHECK(price_of({{certain(5), 8}}, 2).makespan_s.median == Approx(5));
    CHECK(price_of({}, 2).makespan_s.high == 0);
}

TEST_CASE("The price's interval holds four of five sweeps", "[durations]") {
    std::mt19937_64 random(11);
    std::normal_distribution<double> error(0, 0.4);
    int spans_inside = 0;
    int hours_inside = 0;
    constexpr int kTrials = 300;
    for (int trial = 0; trial < kTrials; ++trial) {
        std::vector<DurationSample> samples;
        for (int i = 0; i < 6; ++i) samples.push_back({features(), 60 * std::exp(error(random))});
        const auto estimate = DurationModel(samples).estimate(features()).value();
        const Price price = price_of(std::vector<PlannedDuration>(20, {estimate, 1}), 4, 3);
        std::vector<PlannedDuration> actual;
        double total_s = 0;
        for (int i = 0; i < 20; ++i) {
            actual.push_back({certain(60 * std::exp(error(random))), 1});
            total_s += actual.back().estimate.median_s;
        }
        const double span = price_of(actual, 4).makespan_s.median;
        spans_inside += span >= price.makespan_s.low && span <= price.makespan_s.high;
        hours_inside += total_s / 3600 >= price.device_hours.low && total_s / 3600 <= price.device_hours.high;
    }
    INFO(spans_inside << " and " << hours_inside << " of " << kTrials);
    CHECK(spans_inside > 0.72 * kTrials);
    CHECK(spans_inside < 0.9 * kTrials);
    CHECK(hours_inside > 0.72 * kTrials);
    CHECK(hours_inside < 0.9 * kTrials);
}

TEST_CASE("The same seed gives the same price", "[durations]") {
    const DurationModel model({{features(), 10}, {features(), 15}, {features(), 20}});
    const std::vector<PlannedDuration> jobs(30, {*model.estimate(features()), 1});
    CHECK(price_of(jobs, 4, 5).makespan_s.high == price_of(jobs, 4, 5).makespan_s.high);
    CHECK(price_of(jobs, 4, 5).makespan_s.low < price_of(jobs, 4, 5).makespan_s.high);
}

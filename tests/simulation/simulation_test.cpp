#include "tests/simulation/simulation.hpp"

#include <random>

#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("A mixed load takes hardly longer than any schedule could", "[simulation]") {
    SimulationSettings settings;
    settings.checks_gangs = true;
    const SimulationReport report = simulate(settings);
    CAPTURE(report.makespan_s, report.bound_s, report.mean_decision_us);
    CHECK(report.makespan_s <= report.bound_s / 0.95);
    CHECK(report.gangs_delayed == 0);
    CHECK(report.overlaps == 0);
    CHECK(report.finished == settings.jobs);
    CHECK(report.ended_twice == 0);
}

TEST_CASE("No gang is delayed by what starts after it came to the head of the queue", "[simulation]") {
    std::mt19937 random(7);
    std::size_t gangs_held = 0;
    for (int round = 0; round < 200; ++round) {
        SimulationSettings settings;
        settings.seed = random();
        settings.nodes = 1 + static_cast<int>(random() % 6);
        settings.jobs = 50 + random() % 200;
        settings.checks_gangs = true;
        settings.mix.clear();
        for (const int devices : {1, 2, 3, 5, 8}) settings.mix[devices] = static_cast<double>(1 + random() % 20);
        const SimulationReport report = simulate(settings);
        CAPTURE(settings.seed, settings.nodes, settings.jobs);
        CHECK(report.gangs_delayed == 0);
        CHECK(report.overlaps == 0);
        CHECK(report.finished == settings.jobs);
        CHECK(report.ended_twice == 0);
        gangs_held += report.gangs_held;
    }
    CHECK(gangs_held > 1000);  // else nothing was tested
}

TEST_CASE("Every job ends exactly once, whatever crashes and whatever is known of durations", "[simulation]") {
    std::mt19937 random(11);
    for (int round = 0; round < 40; ++round) {
        SimulationSettings settings;
        settings.seed = random();
        settings.nodes = 2 + static_cast<int>(random() % 20);
        settings.jobs = 500;
        settings.are_lengths_known = round % 2 == 0;
        settings.noise = 0.5;
        settings.failures = 0.1;
        settings.node_losses = static_cast<int>(random() % 5);
        settings.stragglers = 0.05;
        const SimulationReport report = simulate(settings);
        CAPTURE(settings.seed, settings.nodes, settings.node_losses);
        CHECK(report.finished == settings.jobs);
        CHECK(report.ended_twice == 0);
        CHECK(report.overlaps == 0);
    }
}

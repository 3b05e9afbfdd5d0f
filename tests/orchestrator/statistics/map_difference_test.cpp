#include "orchestrator/statistics/map_difference.hpp"

#include <random>

#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

std::vector<FoldMap> noise(int folds, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<FoldMap> made(static_cast<std::size_t>(folds));
    for (auto& fold : made)
        for (const char* code : {"a", "b", "c"})
            for (int lead = 0; lead < 12; ++lead) fold[code].push_back(normal(random));
    return made;
}

}  // namespace

TEST_CASE("A lead that matters more to one configuration is found, and no other", "[belief]") {
    const auto first = noise(10, 1);
    auto second = noise(10, 2);
    for (auto& fold : second) fold["b"][4] += 6;
    const auto found = compare_maps(first, second);
    CHECK(found.folds == 10);
    CHECK(found.flips == 1024);
    CHECK(found.classes.at("b")[4].mean == Approx(6).margin(1.5));
    CHECK(found.classes.at("b")[4].p < 0.01);
    for (const auto& [code, cells] : found.classes)
        for (std::size_t lead = 0; lead < 12; ++lead)
            if (code != "b" || lead != 4) CHECK(cells[lead].p > 0.05);
}

TEST_CASE("Without a difference at most one comparison in ten finds one at that level", "[belief]") {
    int findings = 0;
    for (unsigned seed = 0; seed < 40; ++seed) {
        double smallest = 1;
        for (const auto& [code, cells] : compare_maps(noise(7, 2 * seed), noise(7, 2 * seed + 1)).classes)
            for (const auto& cell : cells) smallest = std::min(smallest, cell.p);
        if (smallest <= 0.1) ++findings;
    }
    CHECK(findings <= 9);  // of 40: 4 are expected, more than 9 have a chance of 0.5 %
}

TEST_CASE("Two folds can prove nothing; classes that one side lacks are left out; many folds are drawn", "[belief]") {
    auto first = noise(2, 1);
    auto second = noise(2, 2);
    for (auto& fold : second) fold["a"][0] += 100;
    second[1].erase("c");
    const auto found = compare_maps(first, second);
    CHECK(found.classes.size() == 2);
    CHECK(found.classes.at("a")[0].p >= 0.5);
    CHECK(found.classes.at("a")[0].mean == Approx(100).margin(5));
    CHECK(compare_maps(noise(14, 1), noise(14, 2)).flips == kAllFlips);
    CHECK(compare_maps({}, {}).classes.empty());
    // The same maps on both sides differ in nothing.
    for (const auto& [code, cells] : compare_maps(first, first).classes)
        for (const auto& cell : cells) CHECK(cell.p == 1);
}

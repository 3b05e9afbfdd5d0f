#include "orchestrator/statistics/map_belief.hpp"

#include <random>

#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

/// `classes` classes in `folds` folds over 12 leads: a part common to all classes, a part of each class (times
/// `signal`), noise.
std::vector<FoldMap> made_up(int folds, int classes, double signal, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> common(12);
    for (double& value : common) value = 5 * normal(random);
    std::vector<std::vector<double>> of_class(static_cast<std::size_t>(classes), std::vector<double>(12));
    for (auto& values : of_class)
        for (double& value : values) value = normal(random);
    std::vector<FoldMap> made(static_cast<std::size_t>(folds));
    for (auto& fold : made)
        for (std::size_t k = 0; k < of_class.size(); ++k) {
            auto& values = fold["class" + std::to_string(k)];
            for (std::size_t lead = 0; lead < 12; ++lead)
                values.push_back(common[lead] + signal * of_class[k][lead] + 0.5 * normal(random));
        }
    return made;
}

}  // namespace

TEST_CASE("Spearman's correlation by hand and with ties", "[belief]") {
    const std::vector<double> a{1, 2, 3, 4, 5};
    CHECK(spearman(a, std::vector<double>{2, 4, 6, 8, 100}).value() == Approx(1));
    CHECK(spearman(a, std::vector<double>{5, 4, 3, 2, 1}).value() == Approx(-1));
    CHECK(spearman(a, std::vector<double>{3, 1, 2, 5, 4}).value() == Approx(0.6));           // 1 - 6 * 8 / 120
    CHECK(spearman(a, std::vector<double>{1, 1, 2, 2, 3}).value() == Approx(0.9486832981));  // scipy.stats.spearmanr
    CHECK_FALSE(spearman(a, std::vector<double>{7, 7, 7, 7, 7}));
}

TEST_CASE("Maps with something of their own are stable and beat the null", "[belief]") {
    const auto beliefs = believe(made_up(4, 8, 3, 1));
    REQUIRE(beliefs.size() == 8);
    for (const auto& [name, belief] : beliefs) {
        CHECK(belief.folds == 4);
        CHECK(belief.stability.value() > 0.7);
        CHECK(belief.p_adjusted.value() < 0.05);
    }
    const auto again = believe(made_up(4, 8, 3, 1));
    CHECK(again.at("class3").p == beliefs.at("class3").p);
}

TEST_CASE("What all classes share makes no map stable; without a signal few p values are small", "[belief]") {
    int small = 0;
    int false_findings = 0;
    double stability = 0;
    for (unsigned seed = 0; seed < 20; ++seed) {
        bool has_finding = false;
        for (const auto& [name, belief] : believe(made_up(3, 6, 0, seed), 1, 199)) {
            if (*belief.p <= 0.1) ++small;
            if (*belief.p_adjusted <= 0.1) has_finding = true;
            stability += *belief.stability / 120;
        }
        if (has_finding) ++false_findings;
    }
    CHECK(std::abs(stability) < 0.1);
    CHECK(small <= 24);          // of 120: 12 are expected
    CHECK(false_findings <= 6);  // of 20: 2 are expected
}

TEST_CASE("Of one fold or one class nothing can be said; a class missing in a fold counts where it is", "[belief]") {
    const auto one_fold = believe(made_up(1, 5, 3, 1));
    CHECK_FALSE(one_fold.at("class0").stability);
    CHECK_FALSE(one_fold.at("class0").p_adjusted);
    const auto one_class = believe(made_up(4, 1, 3, 1));
    CHECK_FALSE(one_class.at("class0").stability);
    auto folds = made_up(4, 8, 3, 2);
    folds[2].erase("class5");
    const auto beliefs = believe(folds);
    CHECK(beliefs.at("class5").folds == 3);
    CHECK(beliefs.at("class5").stability.value() > 0.7);
    CHECK(beliefs.at("class5").p.value() < 0.05);
}

TEST_CASE("Holm's adjustment multiplies the smallest p by the number of classes", "[belief]") {
    const auto beliefs = believe(made_up(4, 8, 3, 1));
    double smallest = 1;
    double smallest_adjusted = 1;
    for (const auto& [name, belief] : beliefs) {
        smallest = std::min(smallest, *belief.p);
        smallest_adjusted = std::min(smallest_adjusted, *belief.p_adjusted);
        CHECK(*belief.p_adjusted >= *belief.p);
    }
    CHECK(smallest_adjusted == Approx(8 * smallest));
}

TEST_CASE("Folds that agree are closer to each other than to networks that learnt nothing; of noise they are not",
          "[belief]") {
    const auto random_models = made_up(20, 8, 0, 99);
    const auto compared = compare_with_random(made_up(4, 8, 8, 1), random_models);
    REQUIRE(compared.size() == 8);
    for (const auto& [name, one] : compared) {
        CHECK(one.models == 20);
        CHECK(one.stability > 0.8);
        CHECK(one.p == Approx(1.0 / 21));
        CHECK(one.similarity < 0.5);
        CHECK(one.similarity <= one.most_similar);
    }
    double sum = 0;
    for (const auto& [name, one] : compare_with_random(made_up(4, 8, 0, 1), random_models)) sum += one.p;
    CHECK(sum / 8 > 0.2);  // chance: about one half
    CHECK(compare_with_random(made_up(1, 8, 3, 1), random_models).empty());
    CHECK(compare_with_random(made_up(4, 8, 3, 1), {}).empty());
}

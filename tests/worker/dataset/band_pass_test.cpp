#include "worker/dataset/band_pass.hpp"

#include <stdexcept>

#include "shared/arrays/safetensors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("The band-pass is SciPy's", "[band_pass][reference]") {
    const ArrayFile file =
        load_arrays(std::string(LEADSWEEP_SOURCE_DIR) + "/tests/reference/band_pass/band_pass.safetensors");
    for (const std::string name : {"wide", "narrow", "low", "short"}) {
        CAPTURE(name);
        const auto settings = file.at(name + "_settings").values<double>();
        auto samples = file.at(name + "_in").values<double>();
        const auto expected = file.at(name + "_out").values<double>();
        BandPass(settings[0], settings[1], settings[2]).apply(samples);
        double worst = 0;
        for (std::size_t t = 0; t < samples.size(); ++t) worst = std::max(worst, std::abs(samples[t] - expected[t]));
        // The poles of the lowest corner lie at 0.9999: rounding grows to a millionth of the millivolt that goes in.
        CHECK(worst < 1e-3);
        if (name != "low") CHECK(worst < 1e-8);
    }
}

TEST_CASE("A band-pass needs its corners in order and below half the rate", "[band_pass]") {
    CHECK_THROWS_AS(BandPass(0, 40, 500), std::invalid_argument);
    CHECK_THROWS_AS(BandPass(40, 0.5, 500), std::invalid_argument);
    CHECK_THROWS_AS(BandPass(0.5, 50, 100), std::invalid_argument);
    std::vector<double> one{5};
    BandPass(0.5, 40, 100).apply(one);  // nothing to reflect
    CHECK(std::abs(one[0]) < 5);
}

#include "worker/dataset/resample.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "shared/arrays/safetensors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("Resampling agrees with scipy.signal.resample", "[resample]") {
    const auto file =
        load_arrays(std::string(LEADSWEEP_SOURCE_DIR) + "/tests/reference/resample/reference.safetensors");
    const auto [samples, target] = GENERATE(table<std::int64_t, std::int64_t>({{5000, 750},
                                                                               {5000, 1000},
                                                                               {2570, 750},
                                                                               {1250, 500},
                                                                               {1000, 1250},
                                                                               {999, 750},
                                                                               {1001, 333},
                                                                               {750, 1001},
                                                                               {7, 5},
                                                                               {6, 9},
                                                                               {4, 3}}));
    CAPTURE(samples, target);
    const auto digital = file.at(fmt::format("input_{}_{}", samples, target)).values<std::int16_t>();
    const auto expected = file.at(fmt::format("output_{}_{}", samples, target)).values<double>();
    const std::vector<double> input(digital.begin(), digital.end());
    std::vector<double> output(expected.size());
    resample_fourier(input, 2, samples, target, output);
    double largest_error = 0;
    for (std::size_t i = 0; i < output.size(); ++i)
        largest_error = std::max(largest_error, std::abs(output[i] - expected[i]));
    CHECK(largest_error < 1e-9);
}

TEST_CASE("Resampling to the same length changes nothing", "[resample]") {
    const std::vector<double> input = {1, -2, 3, 4, 5, 6};
    std::vector<double> output(6);
    resample_fourier(input, 2, 3, 3, output);
    CHECK(output == input);
}

TEST_CASE("Rows do not depend on what they are resampled with", "[resample]") {
    std::vector<double> both;
    for (int i = 0; i < 200; ++i) both.push_back(std::sin(0.3 * i) * 100);
    std::vector<double> together(60);
    std::vector<double> alone(30);
    resample_fourier(both, 2, 100, 30, together);
    resample_fourier(std::span<const double>(both).subspan(100), 1, 100, 30, alone);
    CHECK(std::equal(alone.begin(), alone.end(), together.begin() + 30));
}

TEST_CASE("Sizes that do not fit are refused", "[resample]") {
    std::vector<double> input(10);
    std::vector<double> output(4);
    CHECK_THROWS_AS(resample_fourier(input, 2, 6, 2, output), std::invalid_argument);
    CHECK_THROWS_AS(resample_fourier(input, 2, 5, 3, output), std::invalid_argument);
    CHECK_THROWS_AS(resample_fourier(input, 2, 5, 0, output), std::invalid_argument);
}

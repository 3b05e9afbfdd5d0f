#include "orchestrator/statistics/summary.hpp"

#include <vector>

#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("Mean and standard deviation are those of the sample", "[statistics]") {
    const Summary summary = summarize(std::vector{2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0});
    CHECK(summary.n == 8);
    CHECK(summary.mean == 5.0);
    CHECK(summary.sd.value() == Approx(2.13808993529939507).epsilon(1e-15));  // sqrt(32 / 7)
}

TEST_CASE("What cannot be computed is missing", "[statistics]") {
    CHECK_FALSE(summarize({}).mean);
    CHECK(summarize(std::vector{0.3}).mean == 0.3);
    CHECK_FALSE(summarize(std::vector{0.3}).sd);
}

TEST_CASE("A large offset does not swallow the spread", "[statistics]") {
    CHECK(summarize(std::vector{1e9 + 1, 1e9 + 2, 1e9 + 3}).sd == 1.0);
}

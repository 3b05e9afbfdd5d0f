#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/exact_sum.hpp"
#include "shared/job/importance_sums.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

ArrayFile reference() {
    return load_arrays(LEADSWEEP_SOURCE_DIR "/tests/reference/exact_sum/sums.safetensors");
}

std::uint64_t bits(double value) {
    return std::bit_cast<std::uint64_t>(value);
}

bool have_same_bits(const ImportanceSums& a, const ImportanceSums& b) {
    return a.n() == b.n() && bits(a.mean()) == bits(b.mean()) && bits(a.magnitude()) == bits(b.magnitude()) &&
           bits(a.sd()) == bits(b.sd()) && bits(a.sign_agreement()) == bits(b.sign_agreement());
}

}  // namespace

TEST_CASE("Exact sums equal Python's of rational numbers, whatever the order", "[exact_sum]") {
    const auto file = reference();
    const auto terms = file.at("terms").values<double>();
    const auto sums = file.at("sums").values<double>();
    const std::size_t width = terms.size() / sums.size();
    std::mt19937 random(1);
    for (std::size_t row = 0; row < sums.size(); ++row) {
        std::vector<double> of_row(terms.begin() + static_cast<std::ptrdiff_t>(row * width),
                                   terms.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
        for (int order = 0; order < 5; ++order) {
            ExactSum sum;
            for (const double term : of_row) sum.add(term);
            CHECK(bits(sum.value()) == bits(sums[row]));
            std::shuffle(of_row.begin(), of_row.end(), random);
        }
    }
}

TEST_CASE("Infinities and NaN behave as in an ordinary sum", "[exact_sum]") {
    const double infinity = std::numeric_limits<double>::infinity();
    ExactSum sum;
    sum.add(1);
    sum.add(-infinity);
    CHECK(sum.value() == -infinity);
    CHECK(sum.rest() == 0);
    sum.add(infinity);
    CHECK(std::isnan(sum.value()));
    ExactSum overflow;
    for (int i = 0; i < 3; ++i) overflow.add(std::numeric_limits<double>::max());
    CHECK(overflow.value() == infinity);
}

TEST_CASE("What rounding takes away is the rest", "[exact_sum]") {
    ExactSum sum;
    sum.add(1e16);
    sum.add(1e-3);
    CHECK(sum.value() == 1e16);
    CHECK(sum.rest() == 1e-3);
    ExactSum product;
    product.add_product(1 + std::ldexp(1.0, -30), 1 + std::ldexp(1.0, -30));
    CHECK(product.rest() == std::ldexp(1.0, -60));
}

TEST_CASE("A tiny spread about a large mean is not lost", "[exact_sum]") {
    const auto file = reference();
    ImportanceSums sums;
    for (const double x : file.at("sample").values<double>()) sums.add(x);
    CHECK(sums.sd() == Approx(file.at("sd").values<double>().at(0)).epsilon(1e-12));
}

TEST_CASE("Mean, magnitude, spread and sign agreement by hand", "[exact_sum]") {
    ImportanceSums sums;
    CHECK(sums.n() == 0);
    for (const double x : {1.0, 3.0, -1.0, 0.0}) sums.add(x);
    CHECK(sums.mean() == 0.75);
    CHECK(sums.magnitude() == 1.25);
    CHECK(sums.sd() == Approx(std::sqrt(8.75 / 3)));
    CHECK(sums.sign_agreement() == 0.5);
}

TEST_CASE("A thousand partial aggregates give the same bits in any order and grouping of merging", "[exact_sum]") {
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal;
    std::vector<ImportanceSums> parts(1000);
    double plain_forward = 0;
    std::vector<double> all;
    for (auto& part : parts) {
        const int count = static_cast<int>(random() % 5);
        for (int i = 0; i < count; ++i) {
            all.push_back(normal(random) * std::exp(3 * normal(random)));
            part.add(all.back());
        }
    }
    ImportanceSums expected;
    for (const double x : all) expected.add(x);
    for (const double x : all) plain_forward += x;
    for (int trial = 0; trial < 20; ++trial) {
        auto left = parts;
        while (left.size() > 1) {  // merges any two until one is left
            std::swap(left[random() % left.size()], left.back());
            const auto taken = left.back();
            left.pop_back();
            left[random() % left.size()].merge(taken);
        }
        CHECK(have_same_bits(left.front(), expected));
    }
    double plain_backward = 0;
    for (auto at = all.rbegin(); at != all.rend(); ++at) plain_backward += *at;
    CHECK(bits(plain_forward) != bits(plain_backward));  // the case is one in which order matters
}

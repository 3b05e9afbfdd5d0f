#include "worker/dataset/sampler.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>

#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

std::vector<std::int32_t> indices(std::int32_t count) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 100);
    return values;
}

}  // namespace

TEST_CASE("Every record comes once an epoch, in another order each epoch and for each seed", "[sampler]") {
    const Sampler sampler(indices(50), 3);
    auto order = sampler.epoch_order(1);
    CHECK(order == Sampler(indices(50), 3).epoch_order(1));
    CHECK(order != sampler.epoch_order(2));
    CHECK(order != Sampler(indices(50), 4).epoch_order(1));
    std::sort(order.begin(), order.end());
    CHECK(order == indices(50));
}

TEST_CASE("Gangs of any size cover each global batch once, in shares that differ by at most one", "[sampler]") {
    const auto ranks = GENERATE(1, 2, 3, 4);
    const Sampler sampler(indices(50), 3);
    const auto order = sampler.epoch_order(5);
    REQUIRE(batch_count(50, 8) == 7);
    std::vector<std::int32_t> covered;
    for (std::int64_t step = 0; step < batch_count(50, 8); ++step) {
        const std::int64_t first = batch_start(50, 8, step);
        const std::int64_t size = batch_start(50, 8, step + 1) - first;
        std::int64_t least = 100;
        std::int64_t most = 0;
        for (int rank = 0; rank < ranks; ++rank) {
            const Share share = share_of(size, rank, ranks);
            covered.insert(covered.end(), order.begin() + first + share.begin, order.begin() + first + share.end);
            least = std::min(least, share.end - share.begin);
            most = std::max(most, share.end - share.begin);
        }
        CHECK(most - least <= 1);
    }
    CHECK(covered == order);
}

TEST_CASE("All orders of three records are equally likely", "[sampler]") {
    std::map<std::vector<std::int32_t>, int> seen;
    const Sampler sampler(indices(3), 11);
    for (std::int64_t epoch = 0; epoch < 6000; ++epoch) ++seen[sampler.epoch_order(epoch)];
    CHECK(seen.size() == 6);
    // 1000 expected of each, standard deviation 29.
    for (const auto& [order, count] : seen) CHECK(std::abs(count - 1000) < 150);
}

TEST_CASE("A sampler of nothing has no batches", "[sampler]") {
    CHECK(Sampler({}, 1).epoch_order(1).empty());
    CHECK(batch_count(0, 4) == 0);
}

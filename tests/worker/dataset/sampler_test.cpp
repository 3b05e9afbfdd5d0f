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
    const Sampler sampler(indices(50), 8, 3);
    auto order = sampler.epoch_order(1);
    CHECK(order == Sampler(indices(50), 16, 3).epoch_order(1));
    CHECK(order != sampler.epoch_order(2));
    CHECK(order != Sampler(indices(50), 8, 4).epoch_order(1));
    std::sort(order.begin(), order.end());
    CHECK(order == indices(50));
}

TEST_CASE("Gangs of any size cover each global batch once, in shares that differ by at most one", "[sampler]") {
    const auto ranks = GENERATE(1, 2, 3, 4);
    const Sampler sampler(indices(50), 8, 3);
    const auto order = sampler.epoch_order(5);
    REQUIRE(sampler.steps_per_epoch() == 7);
    CHECK(sampler.batch_records(6) == 2);
    std::vector<std::int32_t> covered;
    for (std::int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
        std::size_t least = 100;
        std::size_t most = 0;
        for (int rank = 0; rank < ranks; ++rank) {
            const auto share = sampler.rank_share(order, step, rank, ranks);
            covered.insert(covered.end(), share.begin(), share.end());
            least = std::min(least, share.size());
            most = std::max(most, share.size());
        }
        CHECK(most - least <= 1);
    }
    CHECK(covered == order);
}

TEST_CASE("All orders of three records are equally likely", "[sampler]") {
    std::map<std::vector<std::int32_t>, int> seen;
    const Sampler sampler(indices(3), 1, 11);
    for (std::int64_t epoch = 0; epoch < 6000; ++epoch) ++seen[sampler.epoch_order(epoch)];
    CHECK(seen.size() == 6);
    // 1000 expected of each, standard deviation 29.
    for (const auto& [order, count] : seen) CHECK(std::abs(count - 1000) < 150);
}

TEST_CASE("A sampler of nothing has no steps, and a batch of nothing is refused", "[sampler]") {
    CHECK(Sampler({}, 4, 1).steps_per_epoch() == 0);
    CHECK_THROWS_AS(Sampler(indices(3), 0, 1), std::invalid_argument);
}

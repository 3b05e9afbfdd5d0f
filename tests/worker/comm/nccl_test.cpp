#include "worker/comm/nccl_communicator.hpp"

#include "tests/worker/comm/contract.hpp"
#include "tests/worker/comm/fake_nccl.hpp"
#include "tests/worker/torch_catch.hpp"

using namespace leadsweep;
using namespace leadsweep::test;
using namespace std::chrono_literals;

namespace {

constexpr NcclTimes kShort{.collective = 300ms, .poll = 1ms, .watch = 5ms, .leave = 2s};
constexpr NcclTimes kLong{.collective = 20s, .poll = 1ms, .watch = 5ms, .leave = 5s};

struct Observed {
    std::vector<std::string> errors;  ///< of each rank; "" for none
    std::vector<int> aborts;
    std::vector<int> destroys;
    std::chrono::steady_clock::duration time{};
};

/// Runs body on ranks whose NCCL is fake; `faults` are those of the last rank.
Observed run_fake_gang(int size, NcclFaults faults, NcclTimes times, const std::function<void(Communicator&)>& body,
                       std::chrono::milliseconds patience = 20s) {
    Observed seen;
    seen.errors.resize(static_cast<std::size_t>(size));
    seen.aborts.resize(static_cast<std::size_t>(size));
    seen.destroys.resize(static_cast<std::size_t>(size));
    const auto start = std::chrono::steady_clock::now();
    run_gang(size, [&](Communicator& carrier) {
        const auto rank = static_cast<std::size_t>(carrier.rank());
        FakeNccl fake(carrier.rank() == size - 1 ? faults : NcclFaults{});
        try {
            const auto gang =
                join_nccl_group(fake.nccl(carrier), fake.gpu(), {}, carrier.rank(), size, patience, times);
            body(*gang);
        } catch (const CommError& error) {
            seen.errors[rank] = error.what();
        }
        seen.aborts[rank] = fake.aborts;
        seen.destroys[rank] = fake.destroys;
    });
    seen.time = std::chrono::steady_clock::now() - start;
    return seen;
}

bool all_are(const std::vector<int>& counts, int expected) {
    return std::all_of(counts.begin(), counts.end(), [&](int count) { return count == expected; });
}

bool none_is_empty(const std::vector<std::string>& errors) {
    return std::none_of(errors.begin(), errors.end(), [](const auto& error) { return error.empty(); });
}

void sum_thrice(Communicator& gang) {
    for (int i = 0; i < 3; ++i) {
        auto tensor = torch::ones({1000});
        gang.all_reduce_sum_(tensor);
    }
}

}  // namespace

TEST_CASE("The gang over NCCL keeps the contract of every communicator", "[comm][nccl]") {
    const int size = GENERATE(1, 2, 3, 4, 8);
    const int polls = GENERATE(0, 3);  // calls that are answered at once, and calls that stay in progress for a while
    Contract contract(size);
    const auto seen = run_fake_gang(size, {.polls_in_progress = polls}, kLong,
                                    [&](Communicator& gang) { contract.check(gang); });
    CHECK(contract.wrong == 0);
    CHECK(contract.visits == size);
    CHECK(seen.errors == std::vector<std::string>(static_cast<std::size_t>(size)));
    // A healthy group leaves in good order: nothing of a slower rank is cut off.
    CHECK(all_are(seen.aborts, 0));
    CHECK(all_are(seen.destroys, 1));
}

TEST_CASE("An error of another rank ends NCCL's group on all ranks", "[comm][nccl]") {
    const auto seen = run_fake_gang(3, {.remote_error_after = 2}, kLong, sum_thrice);
    CHECK(none_is_empty(seen.errors));
    CHECK_THAT(seen.errors[2], ContainsText("fake error 6"));
    CHECK(all_are(seen.aborts, 1));
    CHECK(all_are(seen.destroys, 0));
    CHECK(seen.time < 10s);
}

TEST_CASE("A collective that never ends is aborted after its time, and nobody hangs", "[comm][nccl]") {
    const auto seen = run_fake_gang(3, {.hang_in = 2}, kShort, sum_thrice);
    CHECK(none_is_empty(seen.errors));
    CHECK(all_are(seen.aborts, 1));
    CHECK(seen.time > kShort.collective);
    CHECK(seen.time < 10s);
}

TEST_CASE("A call that stays in progress is given up after its time", "[comm][nccl]") {
    const auto seen = run_fake_gang(2, {.is_call_stuck = true}, kShort, sum_thrice);
    CHECK(none_is_empty(seen.errors));
    CHECK_THAT(seen.errors[1], ContainsText("all-reduce of rank 1 of 2 did not end in time"));
    CHECK(seen.time < 10s);
}

TEST_CASE("Joining that fails or does not end is told", "[comm][nccl]") {
    SECTION("refused") {
        const auto seen = run_fake_gang(1, {.is_init_refused = true}, kLong, sum_thrice);
        CHECK_THAT(seen.errors[0], ContainsText("joining of rank 0 of 1: fake error 2"));
        CHECK(all_are(seen.aborts, 1));
    }
    SECTION("not in time") {
        const auto seen = run_fake_gang(1, {.never_joins = true}, kLong, sum_thrice, 100ms);
        CHECK_THAT(seen.errors[0], ContainsText("joining of rank 0 of 1 did not end in time"));
        CHECK(all_are(seen.aborts, 1));
    }
}

TEST_CASE("abort from another thread ends a call of NCCL that is in progress", "[comm][nccl]") {
    const auto seen = run_fake_gang(2, {.is_call_stuck = true}, kLong, [](Communicator& gang) {
        std::thread killer;
        if (gang.rank() == 1)
            killer = std::thread([&] {
                std::this_thread::sleep_for(100ms);
                gang.abort();
            });
        try {
            sum_thrice(gang);
        } catch (...) {
            if (killer.joinable()) killer.join();
            throw;
        }
    });
    CHECK(none_is_empty(seen.errors));
    CHECK(seen.time < 10s);
}

TEST_CASE("An id of NCCL survives the way through text; other text is refused", "[comm][nccl]") {
    NcclId id;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<char>(7 * i);
    CHECK(nccl_id_from_hex(to_hex(id)).bytes == id.bytes);
    CHECK_THROWS_AS(nccl_id_from_hex("127.0.0.1:4000"), CommError);
    CHECK_THROWS_AS(nccl_id_from_hex(std::string(256, 'x')), CommError);
}

#ifndef LEADSWEEP_CUDA
TEST_CASE("A worker built without CUDA says so when a gang on GPUs is asked for", "[comm][nccl]") {
    CHECK_THROWS_WITH(open_gang(torch::kCUDA, "127.0.0.1"), ContainsText("built without CUDA"));
    CHECK_THROWS_WITH(join_gang(torch::kCUDA, {}, 1, 2, 1s), ContainsText("built without CUDA"));
}
#endif

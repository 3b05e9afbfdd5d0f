#include "worker/comm/communicator.hpp"

#include <atomic>
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/worker/comm/contract.hpp"
#include "tests/worker/gang.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/comm/socket.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

TEST_CASE("Collectives do on every rank what their names say", "[comm]") {
    const int size = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);  // of one, the local communicator
    Contract contract(size);
    run_gang(size, [&](Communicator& gang) { contract.check(gang); });
    CHECK(contract.wrong == 0);
    CHECK(contract.visits == size);
}

TEST_CASE("TCP sums are added in rank order, whoever comes first", "[comm]") {
    const std::vector<float> parts{1e8F, 1.0F, -1e8F, 0.25F};
    const float expected = ((parts[0] + parts[1]) + parts[2]) + parts[3];
    std::atomic<int> wrong{0};
    run_gang(4, [&](Communicator& gang) {
        for (int round = 0; round < 5; ++round) {
            std::this_thread::sleep_for(std::chrono::milliseconds((gang.rank() * 7 + round * 5) % 11));
            auto value = torch::full({1}, parts[static_cast<std::size_t>(gang.rank())]);
            gang.all_reduce_sum_(value);
            if (value.item<float>() != expected) ++wrong;
        }
    });
    CHECK(wrong == 0);
}

TEST_CASE("A wrong token is refused and keeps nobody else out", "[comm]") {
    const auto host = open_tcp_gang("127.0.0.1");
    const auto where = host->meeting_point();
    std::string forged = where.token;
    forged[0] = forged[0] == '0' ? '1' : '0';
    std::atomic<bool> is_refused{false};
    std::thread stranger([&] {
        try {
            join_tcp_gang({where.address, forged}, 1, 2, kPatience);
        } catch (const CommError&) {
            is_refused = true;
        }
    });
    std::thread member([&] {
        stranger.join();
        join_tcp_gang(where, 1, 2, kPatience)->barrier();
    });
    host->wait_for_gang(2, kPatience)->barrier();
    member.join();
    CHECK(is_refused);
}

TEST_CASE("A silent stranger does not keep the gang from meeting", "[comm]") {
    const auto host = open_tcp_gang("127.0.0.1");
    const auto where = host->meeting_point();
    const auto silent = Socket::connect_to(where.address, std::chrono::steady_clock::now() + kPatience);
    std::thread member([&] { join_tcp_gang(where, 1, 2, kPatience)->barrier(); });
    host->wait_for_gang(2, kPatience)->barrier();
    member.join();
    SUCCEED();
}

TEST_CASE("A rank that does not come is told after the given time", "[comm]") {
    const auto host = open_tcp_gang("127.0.0.1");
    CHECK_THROWS_AS(host->wait_for_gang(2, std::chrono::milliseconds(100)), CommError);
    const std::string gone = [] { return open_tcp_gang("127.0.0.1")->meeting_point().address; }();
    CHECK_THROWS_AS(join_tcp_gang({gone, std::string(64, '0')}, 1, 2, std::chrono::milliseconds(200)), CommError);
}

TEST_CASE("A dead peer is an error on all other ranks, at once", "[comm]") {
    const int victim = GENERATE(0, 1, 2);
    std::atomic<int> errors{0};
    const auto start = std::chrono::steady_clock::now();
    run_gang(3, [&](Communicator& gang) {
        gang.barrier();
        if (gang.rank() == victim) return;  // its sockets close, as at the end of its process
        auto tensor = torch::ones({100});
        try {
            gang.all_reduce_sum_(tensor);
        } catch (const CommError& error) {
            if (error.failure() == FailureClass::kNodeLost) ++errors;
        }
    });
    CHECK(errors == 2);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

TEST_CASE("A peer that dies in the middle of an all-reduce is an error on all other ranks, within a second", "[comm]") {
    // The victim is a process of its own that is killed while its gradient is under way: too large for any buffer.
    const auto host = open_tcp_gang("127.0.0.1", kPatience);
    const auto where = host->meeting_point();
    const pid_t victim = ::fork();
    if (victim == 0) {
        const auto gang = join_tcp_gang(where, 1, 3, kPatience, kPatience);
        gang->barrier();
        ::raise(SIGSTOP);  // between two collectives: the others now wait for it, until it is killed
        ::_exit(1);
    }
    std::atomic<int> errors{0};
    const auto sum = [&](std::unique_ptr<Communicator> gang) {
        gang->barrier();
        auto gradients = torch::ones({500'000});
        try {
            gang->all_reduce_sum_(gradients);
        } catch (const CommError& error) {
            if (error.failure() == FailureClass::kNodeLost) ++errors;
        }
    };
    std::thread other([&] { sum(join_tcp_gang(where, 2, 3, kPatience, kPatience)); });
    std::chrono::steady_clock::time_point killed;
    std::thread killer([&] {
        ::waitpid(victim, nullptr, WUNTRACED);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        killed = std::chrono::steady_clock::now();
        ::kill(victim, SIGKILL);
    });
    sum(host->wait_for_gang(3, kPatience));
    other.join();
    killer.join();
    ::waitpid(victim, nullptr, 0);
    CHECK(errors == 2);
    CHECK(std::chrono::steady_clock::now() - killed < std::chrono::seconds(1));
}

TEST_CASE("A peer that is alive and silent is an error on all other ranks after the patience", "[comm]") {
    constexpr auto kShort = std::chrono::milliseconds(300);
    const auto host = open_tcp_gang("127.0.0.1", kShort);
    std::atomic<int> errors{0};
    std::thread silent([&] {
        const auto gang = join_tcp_gang(host->meeting_point(), 1, 2, kPatience, kShort);
        std::this_thread::sleep_for(3 * kShort);
        try {
            gang->barrier();
        } catch (const CommError&) {
            ++errors;
        }
    });
    const auto gang = host->wait_for_gang(2, kPatience);
    CHECK_THROWS_WITH(gang->barrier(), ContainsText("silent"));
    silent.join();
    CHECK(errors == 1);
}

TEST_CASE("abort from another thread ends a waiting collective on every rank", "[comm]") {
    std::atomic<int> errors{0};
    run_gang(3, [&](Communicator& gang) {
        std::thread killer;
        if (gang.rank() == 1)
            killer = std::thread([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(100));
                gang.abort();
            });
        try {
            // What was contributed before the end may still be completed by others; the next collective may not.
            if (gang.rank() == 2) std::this_thread::sleep_for(std::chrono::milliseconds(300));
            for (int round = 0; round < 2; ++round) gang.barrier();
        } catch (const CommError&) {
            ++errors;
        }
        if (killer.joinable()) killer.join();
    });
    CHECK(errors == 3);
}

TEST_CASE("Ranks in different collectives are told apart instead of adding unlike things", "[comm]") {
    std::atomic<int> errors{0};
    run_gang(2, [&](Communicator& gang) {
        auto tensor = torch::ones({gang.rank() + 1});
        try {
            gang.all_reduce_sum_(tensor);
        } catch (const CommError&) {
            ++errors;
        }
    });
    CHECK(errors == 2);
}

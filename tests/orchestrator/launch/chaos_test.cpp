#include "orchestrator/launch/chaos.hpp"

#include <csignal>
#include <set>

#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

/// Signals of ten workers over so many seconds, each of which gets an attempt of a second after the other.
std::vector<std::pair<std::uint64_t, int>> rehearse(std::uint64_t seed, int seconds) {
    Chaos chaos(seed, 0);
    std::uint64_t started = 0;
    std::set<std::uint64_t> workers;
    const auto start = [&](double now) {
        workers.insert(++started);
        chaos.on_started({started}, now);
    };
    for (int i = 0; i < 10; ++i) start(0);
    std::vector<std::pair<std::uint64_t, int>> signals;
    for (int now = 1; now <= seconds; ++now) {
        for (const std::uint64_t worker : workers) chaos.on_assigned({worker}, now);
        for (const ChaosAct& act : chaos.take_due(now)) {
            signals.emplace_back(act.worker.value, act.signal_number);
            if (act.signal_number != SIGKILL) continue;
            workers.erase(act.worker.value);
            start(now);
        }
    }
    return signals;
}

}  // namespace

TEST_CASE("Chaos does the same for the same seed, and strikes as often as it says", "[launch]") {
    CHECK(rehearse(7, 1000) == rehearse(7, 1000));
    CHECK(rehearse(7, 1000) != rehearse(8, 1000));
    int kills = 0;
    int stops = 0;
    int resumed = 0;
    for (const auto& [worker, number] : rehearse(7, 3000)) {
        kills += number == SIGKILL;
        stops += number == SIGSTOP;
        resumed += number == SIGCONT;
    }
    // One blow every 12 to 14 s a worker: 20 attempts of a second or 30 s, whichever comes first.
    CHECK(kills + stops > 30000 / 20);
    CHECK(kills + stops < 30000 / 10);
    CHECK(kills > stops);
    CHECK(stops - resumed <= 10);
    CHECK(stops > 100);
}

TEST_CASE("Chaos knows whom it stopped, and forgets who is gone", "[launch]") {
    Chaos chaos(3, 0);
    chaos.on_started({1}, 0);
    double now = 0;
    while (chaos.stopped().empty() && now < 10000) {
        for (const ChaosAct& act : chaos.take_due(now))
            if (act.signal_number == SIGKILL) chaos.on_started({1}, now);
        now += 0.05;
    }
    REQUIRE(chaos.stopped() == std::vector<WorkerId>{{1}});
    chaos.on_gone({1});
    CHECK(chaos.stopped().empty());
    CHECK(chaos.take_due(now + 1000).empty());
}

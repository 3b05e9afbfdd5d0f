#include "tests/orchestrator/schedule/rig.hpp"

using namespace leadsweep;

namespace {

/// Starts what there is on node n1 and lets it crash.
void crash_on(SchedulerRig& rig, std::uint32_t rank, double now) {
    const auto started = rig.take<StartAttempt>();
    for (const StartAttempt& start : started)
        if (rank_of(start.gang[0]) == rank)
            rig.scheduler.on_failed(start.gang[0], start.attempt, FailureClass::kCrashed,
                                    "crash " + std::to_string(start.attempt.value), now);
        else
            rig.finish(start, now);
}

}  // namespace

TEST_CASE("A node on which job after job breaks gets no work for a while", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(100, ScheduledJob{.max_attempts = 100}), {0},
                     {.beat_timeout_s = 1e6, .breaker_limit = 0});
    rig.workers(1, "bad", 1);
    rig.workers(1, "good", 2);
    for (double now = 0; now < 3; now += 1) {
        CHECK(rig.take<NodeQuarantined>().empty());
        crash_on(rig, 1, now);
    }
    const auto quarantine = rig.take<NodeQuarantined>();
    REQUIRE(quarantine.size() == 1);
    CHECK(quarantine[0].node == "bad");
    CHECK(quarantine[0].seconds == 300);
    bool is_used = false;
    for (double now = 3; now < 400 && !rig.scheduler.is_done(); now += 5) {
        rig.scheduler.on_tick(now);
        for (const StartAttempt& start : rig.take<StartAttempt>()) {
            if (rank_of(start.gang[0]) == 1) is_used = true;
            if (now < 300) CHECK_FALSE(is_used);
            rig.finish(start, now);
        }
    }
    CHECK(is_used);
}

TEST_CASE("A quarantine doubles as long as nothing finishes there", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(400, ScheduledJob{.max_attempts = 100}), {0},
                     {.beat_timeout_s = 1e6, .breaker_limit = 0, .quarantine_limit = 2, .quarantine_s = 10});
    rig.workers(1, "bad", 1);
    rig.workers(1, "good", 2);
    std::vector<double> seconds;
    for (double now = 0; seconds.size() < 3 && now < 120; now += 0.5) {
        rig.scheduler.on_tick(now);
        crash_on(rig, 1, now);
        for (const NodeQuarantined& quarantine : rig.take<NodeQuarantined>()) seconds.push_back(quarantine.seconds);
    }
    CHECK(seconds == std::vector<double>{10, 20, 40});
}

TEST_CASE("The last healthy node is never quarantined", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(20, ScheduledJob{.max_attempts = 1}), {0}, {.breaker_limit = 0});
    rig.workers(1, "only", 1);
    for (int i = 0; i < 20; ++i) crash_on(rig, 1, i);
    CHECK(rig.take<NodeQuarantined>().empty());
    CHECK(rig.scheduler.count(JobState::kFailed) == 20);
}

TEST_CASE("A poison job alone does not bring its node into quarantine", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1, ScheduledJob{.max_attempts = 10}), {0},
                     {.breaker_limit = 0, .elsewhere_s = 0});
    rig.workers(1, "n1", 1);
    rig.workers(1, "n2", 2);
    for (int i = 0; i < 10; ++i) {
        rig.scheduler.on_tick(i);
        for (const StartAttempt& start : rig.take<StartAttempt>())
            rig.scheduler.on_failed(start.gang[0], start.attempt, FailureClass::kCrashed, "poison", i);
    }
    CHECK(rig.take<NodeQuarantined>().empty());
    CHECK(rig.scheduler.state(0) == JobState::kFailed);
}

TEST_CASE("A retry goes to another node, or back after a while where there is none in time", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{}, {}});
    rig.workers(1, "n1", 1);
    rig.workers(1, "n2", 2);
    const auto first = rig.take<StartAttempt>();
    REQUIRE(first.size() == 2);
    rig.scheduler.on_failed(first[0].gang[0], first[0].attempt, FailureClass::kCrashed, "crash", 1);
    CHECK(rig.started().empty());
    SECTION("another node becomes free") {
        rig.finish(first[1], 2);
        const auto retry = rig.take<StartAttempt>();
        REQUIRE(retry.size() == 1);
        CHECK(retry[0].gang == first[1].gang);
    }
    SECTION("no other node becomes free") {
        rig.scheduler.on_tick(5);
        CHECK(rig.started().empty());
        rig.scheduler.on_tick(12);
        CHECK(rig.started().size() == 1);
    }
}

TEST_CASE("After running out of memory a job gets its device alone", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(2, ScheduledJob{.slots_per_device = 2}));
    rig.workers(2, "n1", 0, 0, 2);
    const auto both = rig.take<StartAttempt>();
    REQUIRE(both.size() == 2);
    rig.scheduler.on_failed(both[0].gang[0], both[0].attempt, FailureClass::kOomDevice, "no memory", 1);
    CHECK(rig.started().empty());  // the other one is still there
    rig.finish(both[1], 2);
    CHECK(rig.started().empty());
    const auto killed = rig.take<KillWorker>();
    REQUIRE(killed.size() == 1);
    rig.scheduler.on_worker_lost(killed[0].worker, FailureClass::kKilled, "replaced", 3);
    rig.worker(9, 0, "n1", 0, 4);
    const auto retry = rig.take<StartAttempt>();
    REQUIRE(retry.size() == 1);
    CHECK(retry[0].gang == std::vector<WorkerId>{{9}});
}

// ---- hung, told apart -----------------------------------------------------------------------------------------------

TEST_CASE("A silent worker is named as stopped, with its rank in the gang", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 2}}, {0}, {.beat_timeout_s = 10});
    rig.workers(2);
    const auto started = rig.take<StartAttempt>().at(0);
    for (double now = 1; now <= 11; ++now) {
        rig.scheduler.on_beat(started.gang[0], now);
        rig.scheduler.on_tick(now);
    }
    const auto killed = rig.take<KillWorker>();
    REQUIRE(killed.size() == 1);
    CHECK(killed[0].worker == started.gang[1]);
    rig.scheduler.on_worker_lost(started.gang[1], FailureClass::kKilled, "signal 9", 12);
    const auto ended = rig.take<AttemptEnded>();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].failure == FailureClass::kHung);
    CHECK_THAT(ended[0].message, ContainsText("worker 1 of 2") && ContainsText("SIGSTOP"));
}

TEST_CASE("A worker that lives without progress is named with its phase", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1), {0},
                     {.phase_timeout_s = 10, .phase_timeouts_s = {{"loading", 100}}, .beat_timeout_s = 1000});
    rig.workers(1);
    const auto started = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_progress({1}, started.attempt, "loading", 5);
    rig.scheduler.on_tick(90);
    CHECK(rig.take<StopAttempt>().empty());
    rig.scheduler.on_progress({1}, started.attempt, "training", 91);
    rig.scheduler.on_tick(102);
    CHECK(rig.take<StopAttempt>().size() == 1);
    rig.scheduler.on_failed({1}, started.attempt, FailureClass::kInterrupted, "stopped", 103);
    CHECK_THAT(rig.take<AttemptEnded>().at(0).message, ContainsText("alive, but no progress in phase training"));
}

TEST_CASE("A wedged collective is told from a gang that waits for a silent member", "[scheduler]") {
    const bool is_one_silent = GENERATE(false, true);
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 3}}, {0}, {.phase_timeout_s = 20, .beat_timeout_s = 1000});
    rig.workers(3);
    const auto started = rig.take<StartAttempt>().at(0);
    for (int i = 0; i < 3; ++i) rig.scheduler.on_progress(started.gang[0], started.attempt, "training", 1);
    for (std::size_t rank = 0; rank < 3; ++rank)
        if (!(is_one_silent && rank == 2)) rig.scheduler.on_beat(started.gang[rank], 20);
    rig.scheduler.on_tick(21);
    rig.scheduler.on_failed(started.gang[0], started.attempt, FailureClass::kInterrupted, "stopped", 22);
    const auto message = rig.take<AttemptEnded>().at(0).message;
    if (is_one_silent)
        CHECK_THAT(message, ContainsText("worker 2 of 3 gives no sign of life"));
    else
        CHECK_THAT(message, ContainsText("collective stuck: all 3 workers alive"));
}

TEST_CASE("Silence while nobody listened is not held against the workers", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1), {0}, {.beat_timeout_s = 10});
    rig.workers(1);
    rig.take<StartAttempt>();
    rig.scheduler.on_tick(1);
    rig.scheduler.on_tick(100);  // this process was stopped meanwhile
    CHECK(rig.take<KillWorker>().empty());
    for (double now = 101; now < 112; ++now) rig.scheduler.on_tick(now);
    CHECK(rig.take<KillWorker>().size() == 1);
}

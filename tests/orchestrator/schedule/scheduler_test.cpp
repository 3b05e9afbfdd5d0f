#include "orchestrator/schedule/scheduler.hpp"

#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

/// A scheduler with its attempt ids and a memory of what it decided.
struct Bench {
    std::uint64_t last_attempt = 0;
    Scheduler scheduler;
    std::vector<Action> actions;

    explicit Bench(std::vector<ScheduledJob> jobs, std::vector<std::int64_t> shards = {0},
                   SchedulerSettings settings = {})
        : scheduler(std::move(jobs), std::move(shards), settings, [this] { return AttemptId{++last_attempt}; }) {}

    void workers(int count, const std::string& node = "n1", std::uint32_t rank = 0, double now = 0) {
        for (int i = 0; i < count; ++i)
            scheduler.on_worker_ready({(std::uint64_t{rank} << 32U) + static_cast<std::uint64_t>(i) + 1}, rank, node,
                                      "cpu-" + std::to_string(i), now);
    }
    template <class Kind>
    std::vector<Kind> take() {
        for (auto& action : scheduler.take_actions()) actions.push_back(std::move(action));
        std::vector<Kind> found;
        std::vector<Action> rest;
        for (auto& action : actions) {
            if (auto* kind = std::get_if<Kind>(&action))
                found.push_back(std::move(*kind));
            else
                rest.push_back(std::move(action));
        }
        actions = std::move(rest);
        return found;
    }
};

}  // namespace

TEST_CASE("Scheduler runs jobs in file order and ends", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(3));
    bench.workers(1);
    for (JobIndex expected = 0; expected < 3; ++expected) {
        const auto started = bench.take<StartAttempt>();
        REQUIRE(started.size() == 1);
        CHECK(started[0].job == expected);
        bench.scheduler.on_finished(started[0].gang[0], started[0].attempt, 1);
    }
    CHECK(bench.scheduler.is_done());
    CHECK(bench.scheduler.count(JobState::kFinished) == 3);
}

TEST_CASE("Scheduler prefers priority, then jobs of the pack at hand", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>{{.pack = 0}, {.pack = 1}, {.pack = 0}, {.pack = 1, .priority = 1}}, {0, 0});
    bench.workers(1);
    std::vector<JobIndex> order;
    while (true) {
        const auto started = bench.take<StartAttempt>();
        if (started.empty()) break;
        order.push_back(started[0].job);
        bench.scheduler.on_finished(started[0].gang[0], started[0].attempt, 1);
    }
    CHECK(order == std::vector<JobIndex>{3, 1, 0, 2});
}

TEST_CASE("Scheduler starts a job only when its pack is complete on the node", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(1), {3});
    bench.workers(2);
    auto shards = bench.take<StartPrepare>();
    REQUIRE(shards.size() == 2);
    CHECK(bench.take<StartAttempt>().empty());
    bench.scheduler.on_prepared(shards[0].worker, shards[0].attempt, 1);
    auto third = bench.take<StartPrepare>();
    REQUIRE(third.size() == 1);
    bench.scheduler.on_prepared(shards[1].worker, shards[1].attempt, 1);
    CHECK(bench.take<StartAttempt>().empty());
    bench.scheduler.on_prepared(third[0].worker, third[0].attempt, 2);
    CHECK(bench.take<StartAttempt>().size() == 1);
}

TEST_CASE("Scheduler requeues the job of a lost worker and gives up after max_attempts", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>{{.max_attempts = 2}});
    for (int attempt = 1; attempt <= 2; ++attempt) {
        bench.workers(1);
        REQUIRE(bench.take<StartAttempt>().size() == 1);
        bench.scheduler.on_worker_lost({1}, FailureClass::kKilled, "signal 9", 1);
        const auto ended = bench.take<AttemptEnded>();
        REQUIRE(ended.size() == 1);
        CHECK(ended[0].failure == FailureClass::kKilled);
        CHECK(ended[0].job_state == (attempt == 1 ? JobState::kWaiting : JobState::kFailed));
    }
    CHECK(bench.scheduler.is_done());
}

TEST_CASE("A lost node never counts against its jobs", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>{{.max_attempts = 1}});
    for (int i = 0; i < 5; ++i) {
        bench.workers(1, "n1", 3);
        REQUIRE(bench.take<StartAttempt>().size() == 1);
        bench.scheduler.on_supervisor_lost(3, "rank 3 is gone", 1);
        CHECK(bench.take<AttemptEnded>().at(0).job_state == JobState::kWaiting);
    }
    bench.workers(1);
    const auto started = bench.take<StartAttempt>();
    bench.scheduler.on_finished({1}, started.at(0).attempt, 2);
    CHECK(bench.scheduler.count(JobState::kFinished) == 1);
}

TEST_CASE("Stale messages of an earlier attempt are dropped", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(1));
    bench.workers(1);
    const auto first = bench.take<StartAttempt>().at(0);
    bench.scheduler.on_worker_lost({1}, FailureClass::kCrashed, "segmentation fault", 1);
    bench.workers(1);
    REQUIRE(bench.take<StartAttempt>().size() == 1);
    bench.scheduler.on_finished({1}, first.attempt, 2);
    CHECK(bench.scheduler.count(JobState::kRunning) == 1);
    CHECK_FALSE(bench.scheduler.is_done());
}

TEST_CASE("Invalid and diverged jobs are not retried, the others go on", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(3));
    bench.workers(1);
    auto started = bench.take<StartAttempt>().at(0);
    bench.scheduler.on_failed({1}, started.attempt, FailureClass::kInvalid, "bad", 1);
    started = bench.take<StartAttempt>().at(0);
    bench.scheduler.on_failed({1}, started.attempt, FailureClass::kDiverged, "nan", 1);
    started = bench.take<StartAttempt>().at(0);
    bench.scheduler.on_finished({1}, started.attempt, 1);
    CHECK(bench.scheduler.count(JobState::kInvalid) == 1);
    CHECK(bench.scheduler.count(JobState::kFailed) == 1);
    CHECK(bench.scheduler.count(JobState::kFinished) == 1);
}

TEST_CASE("Out of memory is retried once on a fresh worker", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(1));
    bench.workers(1);
    auto started = bench.take<StartAttempt>().at(0);
    bench.scheduler.on_failed({1}, started.attempt, FailureClass::kOomDevice, "no memory", 1);
    CHECK(bench.take<StartAttempt>().empty());
    CHECK(bench.take<KillWorker>().size() == 1);
    bench.scheduler.on_worker_lost({1}, FailureClass::kKilled, "replaced", 1);
    bench.scheduler.on_worker_ready({2}, 0, "n1", "cpu-1", 2);
    started = bench.take<StartAttempt>().at(0);
    bench.scheduler.on_failed({2}, started.attempt, FailureClass::kOomDevice, "no memory", 3);
    CHECK(bench.scheduler.count(JobState::kFailed) == 1);
}

TEST_CASE("A gang gets all its devices on one node or none", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>{{.devices = 2}});
    bench.workers(1, "n1", 0);
    bench.workers(1, "n2", 1);
    CHECK(bench.take<StartAttempt>().empty());
    bench.scheduler.on_worker_ready({2}, 0, "n1", "cpu-1", 1);
    const auto started = bench.take<StartAttempt>().at(0);
    CHECK(started.gang == std::vector<WorkerId>{{1}, {2}});
    bench.scheduler.on_finished({1}, started.attempt, 2);
    CHECK_FALSE(bench.scheduler.is_done());
    bench.scheduler.on_finished({2}, started.attempt, 2);
    CHECK(bench.scheduler.is_done());
}

TEST_CASE("Small jobs cannot starve a gang at the head of the queue", "[scheduler]") {
    std::vector<ScheduledJob> jobs(20);
    jobs[0].devices = 1;
    jobs[1].devices = 2;
    Bench bench(jobs);
    bench.workers(2);
    auto started = bench.take<StartAttempt>();
    REQUIRE(started.size() == 1);  // job 0; the other worker is kept for the gang
    bench.scheduler.on_finished(started[0].gang[0], started[0].attempt, 1);
    started = bench.take<StartAttempt>();
    REQUIRE(started.size() == 1);
    CHECK(started[0].job == 1);
}

TEST_CASE("One dead member ends the attempt and stops the rest of the gang", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>{{.devices = 2}});
    bench.workers(2);
    const auto started = bench.take<StartAttempt>().at(0);
    bench.scheduler.on_worker_lost({2}, FailureClass::kCrashed, "segmentation fault", 1);
    CHECK(bench.take<StopAttempt>().at(0).workers == std::vector<WorkerId>{{1}});
    CHECK(bench.take<AttemptEnded>().size() == 1);
    bench.scheduler.on_failed({1}, started.attempt, FailureClass::kInterrupted, "stopped", 2);
    CHECK(bench.take<AttemptEnded>().empty());
    bench.scheduler.on_worker_ready({3}, 0, "n1", "cpu-1", 3);
    CHECK(bench.take<StartAttempt>().at(0).gang == std::vector<WorkerId>{{1}, {3}});
}

TEST_CASE("A worker without progress is stopped, then killed, as hung", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(1), {0}, {.phase_timeout_s = 10, .beat_timeout_s = 1000, .stop_grace_s = 5});
    bench.workers(1);
    REQUIRE(bench.take<StartAttempt>().size() == 1);
    bench.scheduler.on_tick(9);
    CHECK(bench.take<StopAttempt>().empty());
    bench.scheduler.on_tick(11);
    CHECK(bench.take<StopAttempt>().at(0).reason == FailureClass::kHung);
    bench.scheduler.on_tick(17);
    CHECK(bench.take<KillWorker>().size() == 1);
    bench.scheduler.on_worker_lost({1}, FailureClass::kKilled, "signal 9", 17);
    CHECK(bench.take<AttemptEnded>().at(0).failure == FailureClass::kHung);
}

TEST_CASE("A worker without heartbeats is killed as hung", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(1), {0}, {.beat_timeout_s = 10});
    bench.workers(1);
    bench.scheduler.on_beat({1}, 5);
    bench.scheduler.on_tick(14);
    CHECK(bench.take<KillWorker>().empty());
    bench.scheduler.on_tick(16);
    CHECK(bench.take<KillWorker>().size() == 1);
    bench.scheduler.on_worker_lost({1}, FailureClass::kKilled, "signal 9", 16);
    CHECK(bench.take<AttemptEnded>().at(0).failure == FailureClass::kHung);
}

TEST_CASE("The same failure again and again stops the sweep", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(100, ScheduledJob{.max_attempts = 1}), {0}, {.breaker_limit = 4});
    bench.workers(1);
    int started = 0;
    while (true) {
        const auto next = bench.take<StartAttempt>();
        if (next.empty()) break;
        ++started;
        bench.scheduler.on_failed({1}, next[0].attempt, FailureClass::kCrashed, "libcuda is missing", 1);
    }
    CHECK(started == 4);
    CHECK(bench.take<SweepStopped>().size() == 1);
    CHECK(bench.scheduler.count(JobState::kWaiting) == 96);
    CHECK(bench.scheduler.is_done());
}

TEST_CASE("Draining stops what runs and starts nothing", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>(3));
    bench.workers(1);
    const auto started = bench.take<StartAttempt>().at(0);
    bench.scheduler.drain(false, 1);
    CHECK(bench.take<StopAttempt>().at(0).reason == FailureClass::kInterrupted);
    bench.scheduler.on_failed({1}, started.attempt, FailureClass::kInterrupted, "stopped", 2);
    CHECK(bench.take<AttemptEnded>().at(0).job_state == JobState::kWaiting);
    CHECK(bench.take<StartAttempt>().empty());
    CHECK(bench.scheduler.is_done());
}

TEST_CASE("A job that no node can hold is invalid, not waited for", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>{{.devices = 4}, {}});
    bench.workers(2);
    bench.scheduler.on_capacity_known(1);
    const auto ended = bench.take<JobEnded>();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].state == JobState::kInvalid);
    CHECK(bench.scheduler.count(JobState::kRunning) == 1);
}

TEST_CASE("Records that cannot be prepared make their jobs invalid and leave the others alone", "[scheduler]") {
    Bench bench(std::vector<ScheduledJob>{{.pack = 0}, {.pack = 1}}, {1, 0});
    bench.workers(1);
    const auto job = bench.take<StartAttempt>().at(0);
    CHECK(job.job == 1);
    bench.scheduler.on_finished({1}, job.attempt, 1);
    const auto shard = bench.take<StartPrepare>().at(0);
    bench.scheduler.on_failed({1}, shard.attempt, FailureClass::kInvalid, "lead V2 is missing", 1);
    CHECK(bench.take<JobEnded>().at(0).state == JobState::kInvalid);
    CHECK(bench.scheduler.is_done());
}

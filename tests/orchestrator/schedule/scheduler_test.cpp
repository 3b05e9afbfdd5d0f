#include "tests/orchestrator/schedule/rig.hpp"

using namespace leadsweep;

TEST_CASE("Scheduler runs jobs in file order and ends", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(3));
    rig.workers(1);
    for (JobIndex expected = 0; expected < 3; ++expected) {
        const auto started = rig.take<StartAttempt>();
        REQUIRE(started.size() == 1);
        CHECK(started[0].job == expected);
        rig.scheduler.on_finished(started[0].gang[0], started[0].attempt, 1);
    }
    CHECK(rig.scheduler.is_done());
    CHECK(rig.scheduler.count(JobState::kFinished) == 3);
}

TEST_CASE("Scheduler prefers priority, then jobs of the pack at hand", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.pack = 0}, {.pack = 1}, {.pack = 0}, {.pack = 1, .priority = 1}},
                     {0, 0});
    rig.workers(1);
    std::vector<JobIndex> order;
    while (true) {
        const auto started = rig.take<StartAttempt>();
        if (started.empty()) break;
        order.push_back(started[0].job);
        rig.scheduler.on_finished(started[0].gang[0], started[0].attempt, 1);
    }
    CHECK(order == std::vector<JobIndex>{3, 1, 0, 2});
}

TEST_CASE("Scheduler starts a job only when its pack is complete on the node", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1), {3});
    rig.workers(2);
    auto shards = rig.take<StartPrepare>();
    REQUIRE(shards.size() == 2);
    CHECK(rig.take<StartAttempt>().empty());
    rig.scheduler.on_prepared(shards[0].worker, shards[0].attempt, 1);
    auto third = rig.take<StartPrepare>();
    REQUIRE(third.size() == 1);
    rig.scheduler.on_prepared(shards[1].worker, shards[1].attempt, 1);
    CHECK(rig.take<StartAttempt>().empty());
    rig.scheduler.on_prepared(third[0].worker, third[0].attempt, 2);
    CHECK(rig.take<StartAttempt>().size() == 1);
}

TEST_CASE("Scheduler requeues the job of a lost worker and gives up after max_attempts", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.max_attempts = 2}});
    for (int attempt = 1; attempt <= 2; ++attempt) {
        rig.workers(1);
        REQUIRE(rig.take<StartAttempt>().size() == 1);
        rig.scheduler.on_worker_lost({1}, FailureClass::kKilled, "signal 9", 1);
        const auto ended = rig.take<AttemptEnded>();
        REQUIRE(ended.size() == 1);
        CHECK(ended[0].failure == FailureClass::kKilled);
        CHECK(ended[0].job_state == (attempt == 1 ? JobState::kWaiting : JobState::kFailed));
    }
    CHECK(rig.scheduler.is_done());
}

TEST_CASE("A lost node never counts against its jobs", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.max_attempts = 1}});
    for (int i = 0; i < 5; ++i) {
        rig.workers(1, "n1", 3);
        REQUIRE(rig.take<StartAttempt>().size() == 1);
        rig.scheduler.on_supervisor_lost(3, "rank 3 is gone", 1);
        CHECK(rig.take<AttemptEnded>().at(0).job_state == JobState::kWaiting);
    }
    rig.workers(1);
    const auto started = rig.take<StartAttempt>();
    rig.scheduler.on_finished({1}, started.at(0).attempt, 2);
    CHECK(rig.scheduler.count(JobState::kFinished) == 1);
}

TEST_CASE("Stale messages of an earlier attempt are dropped", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1));
    rig.workers(1);
    const auto first = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_worker_lost({1}, FailureClass::kCrashed, "segmentation fault", 1);
    rig.workers(1);
    REQUIRE(rig.take<StartAttempt>().size() == 1);
    rig.scheduler.on_finished({1}, first.attempt, 2);
    CHECK(rig.scheduler.count(JobState::kRunning) == 1);
    CHECK_FALSE(rig.scheduler.is_done());
}

TEST_CASE("Invalid and diverged jobs are not retried, the others go on", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(3));
    rig.workers(1);
    auto started = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_failed({1}, started.attempt, FailureClass::kInvalid, "bad", 1);
    started = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_failed({1}, started.attempt, FailureClass::kDiverged, "nan", 1);
    started = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_finished({1}, started.attempt, 1);
    CHECK(rig.scheduler.count(JobState::kInvalid) == 1);
    CHECK(rig.scheduler.count(JobState::kFailed) == 1);
    CHECK(rig.scheduler.count(JobState::kFinished) == 1);
}

TEST_CASE("Out of memory is retried once on a fresh worker", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1));
    rig.workers(1);
    auto started = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_failed({1}, started.attempt, FailureClass::kOomDevice, "no memory", 1);
    CHECK(rig.take<StartAttempt>().empty());
    CHECK(rig.take<KillWorker>().size() == 1);
    rig.scheduler.on_worker_lost({1}, FailureClass::kKilled, "replaced", 1);
    rig.scheduler.on_worker_ready({2}, 0, "n1", "cpu-1", 2);
    started = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_failed({2}, started.attempt, FailureClass::kOomDevice, "no memory", 3);
    CHECK(rig.scheduler.count(JobState::kFailed) == 1);
}

TEST_CASE("A gang gets all its devices on one node or none", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 2}});
    rig.workers(1, "n1", 0);
    rig.workers(1, "n2", 1);
    CHECK(rig.take<StartAttempt>().empty());
    rig.scheduler.on_worker_ready({2}, 0, "n1", "cpu-1", 1);
    const auto started = rig.take<StartAttempt>().at(0);
    CHECK(started.gang == std::vector<WorkerId>{{1}, {2}});
    rig.scheduler.on_finished({1}, started.attempt, 2);
    CHECK_FALSE(rig.scheduler.is_done());
    rig.scheduler.on_finished({2}, started.attempt, 2);
    CHECK(rig.scheduler.is_done());
}

TEST_CASE("Small jobs cannot starve a gang at the head of the queue", "[scheduler]") {
    std::vector<ScheduledJob> jobs(20);
    jobs[0].devices = 1;
    jobs[1].devices = 2;
    SchedulerRig rig(jobs);
    rig.workers(2);
    auto started = rig.take<StartAttempt>();
    REQUIRE(started.size() == 1);  // job 0; the other worker is kept for the gang
    rig.scheduler.on_finished(started[0].gang[0], started[0].attempt, 1);
    started = rig.take<StartAttempt>();
    REQUIRE(started.size() == 1);
    CHECK(started[0].job == 1);
}

TEST_CASE("One dead member ends the attempt and stops the rest of the gang", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 2}});
    rig.workers(2);
    const auto started = rig.take<StartAttempt>().at(0);
    rig.scheduler.on_worker_lost({2}, FailureClass::kCrashed, "segmentation fault", 1);
    CHECK(rig.take<StopAttempt>().at(0).workers == std::vector<WorkerId>{{1}});
    CHECK(rig.take<AttemptEnded>().size() == 1);
    rig.scheduler.on_failed({1}, started.attempt, FailureClass::kInterrupted, "stopped", 2);
    CHECK(rig.take<AttemptEnded>().empty());
    rig.scheduler.on_worker_ready({3}, 0, "n1", "cpu-1", 3);
    CHECK(rig.take<StartAttempt>().at(0).gang == std::vector<WorkerId>{{1}, {3}});
}

TEST_CASE("A worker without progress is stopped, then killed, as hung", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1), {0},
                     {.phase_timeout_s = 10, .beat_timeout_s = 1000, .stop_grace_s = 5});
    rig.workers(1);
    REQUIRE(rig.take<StartAttempt>().size() == 1);
    rig.scheduler.on_tick(9);
    CHECK(rig.take<StopAttempt>().empty());
    rig.scheduler.on_tick(11);
    CHECK(rig.take<StopAttempt>().at(0).reason == FailureClass::kHung);
    rig.scheduler.on_tick(17);
    CHECK(rig.take<KillWorker>().size() == 1);
    rig.scheduler.on_worker_lost({1}, FailureClass::kKilled, "signal 9", 17);
    CHECK(rig.take<AttemptEnded>().at(0).failure == FailureClass::kHung);
}

TEST_CASE("A worker without heartbeats is killed as hung", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1), {0}, {.beat_timeout_s = 10});
    rig.workers(1);
    rig.scheduler.on_beat({1}, 5);
    rig.scheduler.on_tick(14);
    CHECK(rig.take<KillWorker>().empty());
    rig.scheduler.on_tick(16);
    CHECK(rig.take<KillWorker>().size() == 1);
    rig.scheduler.on_worker_lost({1}, FailureClass::kKilled, "signal 9", 16);
    CHECK(rig.take<AttemptEnded>().at(0).failure == FailureClass::kHung);
}

TEST_CASE("The same failure again and again stops the sweep", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(100, ScheduledJob{.max_attempts = 1}), {0}, {.breaker_limit = 4});
    rig.workers(1);
    int started = 0;
    while (true) {
        const auto next = rig.take<StartAttempt>();
        if (next.empty()) break;
        ++started;
        rig.scheduler.on_failed({1}, next[0].attempt, FailureClass::kCrashed, "libcuda is missing", 1);
    }
    CHECK(started == 4);
    CHECK(rig.take<SweepStopped>().size() == 1);
    CHECK(rig.scheduler.count(JobState::kWaiting) == 96);
    CHECK(rig.scheduler.is_done());
}

TEST_CASE("Draining stops what runs and starts nothing", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(3));
    rig.workers(1);
    const auto started = rig.take<StartAttempt>().at(0);
    rig.scheduler.drain(false, 1);
    CHECK(rig.take<StopAttempt>().at(0).reason == FailureClass::kInterrupted);
    rig.scheduler.on_failed({1}, started.attempt, FailureClass::kInterrupted, "stopped", 2);
    CHECK(rig.take<AttemptEnded>().at(0).job_state == JobState::kWaiting);
    CHECK(rig.take<StartAttempt>().empty());
    CHECK(rig.scheduler.is_done());
}

TEST_CASE("A job that no node can hold is invalid, not waited for", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 4}, {}});
    rig.workers(2);
    rig.scheduler.on_capacity_known(1);
    const auto ended = rig.take<JobEnded>();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].state == JobState::kInvalid);
    CHECK(rig.scheduler.count(JobState::kRunning) == 1);
}

TEST_CASE("Records that cannot be prepared make their jobs invalid and leave the others alone", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.pack = 0}, {.pack = 1}}, {1, 0});
    rig.workers(1);
    const auto job = rig.take<StartAttempt>().at(0);
    CHECK(job.job == 1);
    rig.scheduler.on_finished({1}, job.attempt, 1);
    const auto shard = rig.take<StartPrepare>().at(0);
    rig.scheduler.on_failed({1}, shard.attempt, FailureClass::kInvalid, "lead V2 is missing", 1);
    CHECK(rig.take<JobEnded>().at(0).state == JobState::kInvalid);
    CHECK(rig.scheduler.is_done());
}

// What people ask for: cancel, retry, why.
#include "tests/orchestrator/schedule/rig.hpp"

using namespace leadsweep;

TEST_CASE("A waiting job that is cancelled is over at once, and can be run again", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(2));
    CHECK(rig.scheduler.cancel(0, 0));
    CHECK(rig.take<JobEnded>().at(0).state == JobState::kCancelled);
    CHECK_FALSE(rig.scheduler.cancel(0, 0));
    rig.workers(1);
    const auto started = rig.take<StartAttempt>();
    REQUIRE(started.size() == 1);
    CHECK(started[0].job == 1);
    CHECK(rig.scheduler.retry(0, 1));
    CHECK_FALSE(rig.scheduler.retry(0, 1));
    rig.finish(started[0], 2);
    CHECK(rig.started() == std::vector<JobIndex>{0});
    CHECK_FALSE(rig.scheduler.retry(1, 3));  // finished
}

TEST_CASE("A running job that is cancelled is stopped, then killed, and ends as cancelled", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>(1), {0}, {.stop_grace_s = 5});
    rig.workers(1);
    const auto started = rig.take<StartAttempt>().at(0);
    CHECK(rig.scheduler.cancel(0, 1));
    CHECK(rig.take<StopAttempt>().at(0).reason == FailureClass::kCancelled);
    rig.scheduler.on_tick(5.9);
    CHECK(rig.take<KillWorker>().empty());
    rig.scheduler.on_tick(6);
    CHECK(rig.take<KillWorker>().size() == 1);
    rig.scheduler.on_worker_lost({1}, FailureClass::kKilled, "signal 9", 7);
    CHECK(rig.take<AttemptEnded>().at(0).job_state == JobState::kCancelled);
    CHECK(rig.scheduler.is_done());
}

TEST_CASE("A failed job that is retried has all its attempts again", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.max_attempts = 1}});
    rig.workers(1);
    for (int round = 0; round < 2; ++round) {
        const auto started = rig.take<StartAttempt>();
        REQUIRE(started.size() == 1);
        rig.scheduler.on_failed({1}, started[0].attempt, FailureClass::kCrashed, "crash", round);
        CHECK(rig.scheduler.state(0) == JobState::kFailed);
        CHECK(rig.scheduler.retry(0, round));
    }
}

TEST_CASE("why tells what a job waits for", "[scheduler]") {
    std::vector<ScheduledJob> jobs(5);
    jobs[1].devices = 2;
    jobs[4].pack = 1;
    SchedulerRig rig(jobs, {0, 3});
    CHECK_THAT(rig.scheduler.why(0, 0), ContainsText("no worker is ready"));
    rig.workers(2);
    const auto started = rig.take<StartAttempt>();
    rig.scheduler.on_progress({1}, started.at(0).attempt, "training", 3);
    CHECK_THAT(rig.scheduler.why(0, 10), ContainsText("attempt 1 runs on n1 (cpu-0) since 10 s, in phase training"));
    CHECK_THAT(rig.scheduler.why(1, 10), ContainsText("it is the next: 2 devices of n1 are kept for it"));
    CHECK_THAT(rig.scheduler.why(3, 10), ContainsText("2 jobs ahead of it; n1 is kept for a job with 2 devices"));
    CHECK_THAT(rig.scheduler.why(4, 10), ContainsText("its pack is not prepared yet"));
    rig.scheduler.cancel(3, 11);
    CHECK_THAT(rig.scheduler.why(3, 11), ContainsText("it is cancelled"));
}

TEST_CASE("why tells how far a pack is, and how many devices are free", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{}, {.devices = 2}}, {3});
    rig.workers(2);
    const auto shards = rig.take<StartPrepare>();
    rig.scheduler.on_prepared(shards.at(0).worker, shards.at(0).attempt, 1);
    CHECK_THAT(rig.scheduler.why(0, 1), ContainsText("1 of 3 shards on n1"));
}

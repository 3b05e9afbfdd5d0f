// What ends a run: the allocation, and the nodes that are left.
#include "tests/orchestrator/schedule/rig.hpp"

using namespace leadsweep;

TEST_CASE("What cannot end before the deadline is not started, and the run ends without it", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.expected_s = 1000}, {.expected_s = 50}, {.expected_s = 50}}, {0},
                     {.min_start_s = 200});
    rig.workers(1);
    rig.scheduler.set_deadline(110, 0);
    for (const double end : {50.0, 100.0}) {
        const auto started = rig.take<StartAttempt>();
        REQUIRE(started.size() == 1);
        CHECK(started[0].job > 0);
        CHECK_FALSE(rig.scheduler.is_done());
        rig.finish(started[0], end);
    }
    CHECK(rig.started().empty());
    CHECK(rig.scheduler.is_done());
    CHECK(rig.scheduler.is_waiting_for_deadline());
    CHECK(rig.scheduler.left_for_next_allocation() == 1);
    CHECK(rig.scheduler.count(JobState::kWaiting) == 1);
    CHECK_THAT(rig.scheduler.why(0, 100), ContainsText("next allocation"));
    rig.scheduler.set_deadline(2000, 100);
    CHECK(rig.started() == std::vector<JobIndex>{0});
}

TEST_CASE("A long job starts before the deadline if it can leave a checkpoint", "[scheduler]") {
    const double checkpoint_s = GENERATE(50.0, 500.0);
    SchedulerRig rig(std::vector<ScheduledJob>{{.expected_s = 1000, .checkpoint_s = checkpoint_s}});
    rig.workers(1);
    rig.scheduler.set_deadline(100, 0);
    CHECK(rig.started().size() == (checkpoint_s < 100 ? 1U : 0U));
    CHECK(rig.scheduler.is_done() == (checkpoint_s > 100));
}

TEST_CASE("A job of which nothing is known starts if there is some time left", "[scheduler]") {
    const double left = GENERATE(30.0, 90.0);
    SchedulerRig rig(std::vector<ScheduledJob>(1), {0}, {.min_start_s = 60});
    rig.workers(1);
    rig.scheduler.set_deadline(left, 0);
    CHECK(rig.started().size() == (left > 60 ? 1U : 0U));
}

TEST_CASE("A gang that no node that is left can hold is left for another run, or for a node that comes back",
          "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 2}, {}});
    rig.workers(1, "small", 1);
    rig.workers(2, "large", 2);
    rig.scheduler.on_capacity_known(0);
    auto started = rig.take<StartAttempt>();
    REQUIRE(started.size() == 2);
    rig.scheduler.on_supervisor_lost(2, "gone", 1);
    for (const StartAttempt& start : started)
        if (start.job == 1) rig.finish(start, 2);
    CHECK(rig.started().empty());
    CHECK(rig.scheduler.is_done());
    CHECK(rig.scheduler.left_for_next_allocation() == 1);
    rig.workers(2, "large", 3, 4);
    CHECK(rig.started() == std::vector<JobIndex>{0});
}

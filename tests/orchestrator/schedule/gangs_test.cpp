#include <set>

#include "tests/orchestrator/schedule/rig.hpp"

using namespace leadsweep;

TEST_CASE("A short job fills the gap before a gang, a long one does not", "[scheduler]") {
    // Job 0 holds one device until 100; the gang of job 1 needs both. 2 is too long for the gap, 3 fits.
    SchedulerRig rig(std::vector<ScheduledJob>{{.priority = 2, .expected_s = 100},
                                               {.devices = 2, .priority = 1, .expected_s = 50},
                                               {.expected_s = 101},
                                               {.expected_s = 40, .upper_s = 60}});
    rig.workers(2);
    const auto started = rig.take<StartAttempt>();
    REQUIRE(started.size() == 2);
    CHECK(started[0].job == 0);
    CHECK(started[1].job == 3);
    CHECK(rig.scheduler.reservation()->shadow == 100);
    rig.finish(started[1], 60);
    CHECK(rig.started().empty());
    rig.finish(started[0], 100);
    CHECK(rig.started() == std::vector<JobIndex>{1});
}

TEST_CASE("A job that may take longer than expected is judged by its pessimistic duration", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{
        {.priority = 2, .expected_s = 100}, {.devices = 2, .priority = 1}, {.expected_s = 40, .upper_s = 160}});
    rig.workers(2);
    CHECK(rig.started() == std::vector<JobIndex>{0});
}

TEST_CASE("Nothing is put onto a gang's node while durations are unknown, other nodes go on", "[scheduler]") {
    std::vector<ScheduledJob> jobs(10);
    jobs[2].devices = 2;
    SchedulerRig rig(jobs);
    rig.workers(2, "n1", 1);
    rig.take<StartAttempt>();
    rig.workers(2, "n2", 2);
    CHECK(rig.started() == std::vector<JobIndex>{2});
}

TEST_CASE("Devices beyond what a gang needs are free for long jobs", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.priority = 2, .expected_s = 100},
                                               {.priority = 2, .expected_s = 100},
                                               {.devices = 3, .priority = 1, .expected_s = 10},
                                               {.expected_s = 1000},
                                               {.expected_s = 1000}});
    rig.workers(4);
    CHECK(rig.started() == std::vector<JobIndex>{0, 1, 3});
}

TEST_CASE("Members of a gang sit on distinct devices", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 2}, {.slots_per_device = 2}});
    rig.workers(4, "n1", 0, 0, 2);  // two slots on each of two devices
    const auto gang = rig.take<StartAttempt>();
    REQUIRE(gang.size() == 1);
    CHECK(gang[0].gang == std::vector<WorkerId>{{1}, {3}});
}

TEST_CASE("A gang spans nodes only where the job allows it, and starts on all of them or none", "[scheduler]") {
    const bool may_span = GENERATE(false, true);
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 3, .across_nodes = may_span}});
    rig.workers(2, "n1", 1);
    CHECK(rig.started().empty());
    rig.workers(2, "n2", 2);
    const auto started = rig.take<StartAttempt>();
    REQUIRE(started.size() == (may_span ? 1U : 0U));
    if (!may_span) return;
    std::set<std::uint32_t> ranks;
    for (const WorkerId worker : started[0].gang) ranks.insert(rank_of(worker));
    CHECK(started[0].gang.size() == 3);
    CHECK(ranks == std::set<std::uint32_t>{1, 2});
}

TEST_CASE("A gang that may span nodes still prefers one", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 2, .across_nodes = true}});
    rig.worker(1, 0, "n1", 1);
    rig.workers(2, "n2", 2);
    const auto started = rig.take<StartAttempt>();
    REQUIRE(started.size() == 1);
    CHECK(rank_of(started[0].gang[0]) == 2);
    CHECK(rank_of(started[0].gang[1]) == 2);
}

TEST_CASE("Small jobs cannot starve a gang that spans nodes", "[scheduler]") {
    std::vector<ScheduledJob> jobs(12);
    jobs[2] = {.devices = 2, .across_nodes = true};
    SchedulerRig rig(jobs);
    rig.worker(1, 0, "n1", 1);
    rig.worker(1, 0, "n2", 2);
    const auto first = rig.take<StartAttempt>();
    REQUIRE(first.size() == 2);
    rig.finish(first[0], 1);
    CHECK(rig.started().empty());
    rig.finish(first[1], 2);
    CHECK(rig.started() == std::vector<JobIndex>{2});
}

TEST_CASE("A gang larger than any node is invalid, unless all nodes together can hold it", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.devices = 4}, {.devices = 4, .across_nodes = true}});
    rig.workers(2, "n1", 1);
    rig.workers(2, "n2", 2);
    rig.scheduler.on_capacity_known(0);
    CHECK(rig.scheduler.state(0) == JobState::kInvalid);
    CHECK(rig.started() == std::vector<JobIndex>{1});
}

TEST_CASE("So many jobs share a device as each of them allows", "[scheduler]") {
    std::vector<ScheduledJob> jobs(6, ScheduledJob{.slots_per_device = 3});
    jobs[2].slots_per_device = 2;
    SchedulerRig rig(jobs);
    rig.workers(3, "n1", 0, 0, 3);
    auto started = rig.take<StartAttempt>();
    CHECK(started.size() == 3);  // 0, 1 and one that allows three; never 2, which would have allowed one other only
    for (const StartAttempt& start : started) CHECK(start.job != 2);
}

TEST_CASE("A job that wants its device alone is not starved by jobs that share", "[scheduler]") {
    std::vector<ScheduledJob> jobs(20, ScheduledJob{.slots_per_device = 2});
    jobs[2].slots_per_device = 1;
    SchedulerRig rig(jobs);
    rig.workers(2, "n1", 0, 0, 2);
    auto started = rig.take<StartAttempt>();
    REQUIRE(started.size() == 2);
    rig.finish(started[0], 1);
    CHECK(rig.started().empty());
    rig.finish(started[1], 2);
    CHECK(rig.started() == std::vector<JobIndex>{2});
}

TEST_CASE("With durations known long jobs and large gangs go first, so that nothing sticks out at the end",
          "[scheduler]") {
    std::vector<ScheduledJob> jobs{{.expected_s = 10}, {.expected_s = 10}, {.devices = 2, .expected_s = 10}};
    jobs.push_back({.expected_s = 5000});
    SchedulerRig rig(jobs);
    rig.workers(2);
    CHECK(rig.started().front() == 3);
}

TEST_CASE("A pack is made on a second node only where more of its jobs wait than the first can take", "[scheduler]") {
    const std::size_t jobs = GENERATE(2U, 9U);
    SchedulerRig rig(std::vector<ScheduledJob>(jobs), {4});
    rig.workers(2, "n1", 1);
    CHECK(rig.take<StartPrepare>().size() == 2);
    rig.workers(2, "n2", 2);
    CHECK(rig.take<StartPrepare>().size() == (jobs == 2 ? 0U : 2U));
}

TEST_CASE("A pack is made wherever a gang at the head of the queue will start", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{}, {.devices = 3, .across_nodes = true}}, {1});
    rig.workers(2, "n1", 1);
    auto shard = rig.take<StartPrepare>();
    REQUIRE(shard.size() == 1);
    rig.scheduler.on_prepared(shard[0].worker, shard[0].attempt, 1);
    const auto first = rig.take<StartAttempt>();
    REQUIRE(first.size() == 1);
    rig.workers(1, "n2", 2, 1);
    rig.finish(first[0], 2);
    shard = rig.take<StartPrepare>();
    REQUIRE(shard.size() == 1);
    CHECK(rank_of(shard[0].worker) == 2);
    rig.scheduler.on_prepared(shard[0].worker, shard[0].attempt, 3);
    CHECK(rig.started() == std::vector<JobIndex>{1});
}

TEST_CASE("A fresh process is asked for even where shards are still missing", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.needs_fresh_worker = true}, {.needs_fresh_worker = true}, {.pack = 1}},
                     {0, 1});
    rig.workers(1);
    const auto first = rig.take<StartAttempt>();
    REQUIRE(first.size() == 1);
    rig.finish(first[0], 1);
    CHECK(rig.take<KillWorker>().size() == 1);
    CHECK(rig.take<StartPrepare>().empty());
}

TEST_CASE("A pack that urgent jobs need is made before lesser jobs start", "[scheduler]") {
    SchedulerRig rig(std::vector<ScheduledJob>{{.pack = 0}, {.pack = 1, .priority = 1}}, {0, 1});
    rig.workers(1);
    const auto shard = rig.take<StartPrepare>();
    REQUIRE(shard.size() == 1);
    CHECK(shard[0].pack == 1);
    rig.scheduler.on_prepared(shard[0].worker, shard[0].attempt, 1);
    CHECK(rig.started() == std::vector<JobIndex>{1});
}

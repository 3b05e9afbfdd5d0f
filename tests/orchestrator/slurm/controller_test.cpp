#include <cstdlib>
#include <ctime>

#include "orchestrator/slurm/controller.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

constexpr std::time_t kNow = 1'769'860'800;  // 2026-01-31T12:00:00Z

/// A line of `scontrol show job -o` on a machine in UTC.
std::string job_line(const std::string& limit, const std::string& end) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    return "JobId=5 JobName=x JobState=RUNNING TimeLimit=" + limit +
           " TimeMin=N/A StartTime=2026-01-31T11:50:00 EndTime=" + end + " Deadline=N/A";
}

}  // namespace

TEST_CASE("The controller's end of the job is the time left") {
    CHECK(time_left({}, job_line("01:00:00", "2026-01-31T12:50:00"), kNow) == 3000.0);
}

TEST_CASE("Where clocks differ the earlier end counts") {
    const std::string started = std::to_string(kNow - 600);
    // The controller's clock is 20 minutes ahead of this node's.
    CHECK(time_left({{"LEADSWEEP_JOB_STARTED", started}}, job_line("01:00:00", "2026-01-31T13:10:00"), kNow) == 3000.0);
    // It is 20 minutes behind.
    CHECK(time_left({{"LEADSWEEP_JOB_STARTED", started}}, job_line("01:00:00", "2026-01-31T12:30:00"), kNow) == 1800.0);
    // By an hour: the end seems to lie in the past, and the sweep ends at once.
    CHECK(time_left({}, job_line("01:00:00", "2026-01-31T11:50:00"), kNow) == 1.0);
}

TEST_CASE("What the environment tells is not asked for") {
    const JobEnvironment environment{{"SLURM_JOB_START_TIME", std::to_string(kNow - 600)},
                                     {"SLURM_JOB_END_TIME", std::to_string(kNow + 3000)},
                                     {"LEADSWEEP_JOB_STARTED", std::to_string(kNow - 700)}};
    CHECK(time_left(environment, "", kNow) == 2900.0);
}

TEST_CASE("A job without a limit has no end") {
    CHECK(!time_left({}, job_line("UNLIMITED", "Unknown"), kNow));
    CHECK(!time_left({{"LEADSWEEP_JOB_STARTED", std::to_string(kNow)}}, "", kNow));
    CHECK(time_left({{"LEADSWEEP_JOB_STARTED", std::to_string(kNow)}}, job_line("1-00:00:00", "Unknown"), kNow) ==
          86400.0);
}

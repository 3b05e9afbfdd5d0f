#include "orchestrator/progress/progress.hpp"

#include "tests/support/catch.hpp"

using namespace leadsweep;

TEST_CASE("The time left follows from the work done", "[progress]") {
    SweepProgress progress;
    progress.jobs = 4;
    progress.elapsed_s = 10;
    CHECK_FALSE(estimate_remaining_s(progress));
    progress.finished = 1;
    CHECK(*estimate_remaining_s(progress) == Approx(30));
    progress.failed = 1;
    CHECK(*estimate_remaining_s(progress) == Approx(10));
}

TEST_CASE("A running job is shown with phase, epoch, loss and speed, within the terminal's width", "[progress]") {
    SweepProgress progress;
    progress.sweep = "demo";
    progress.jobs = 4;
    progress.finished = 1;
    progress.failed = 1;
    progress.running[{7}] = {"fold 2, loss bce", "cpu-0", 5, {{7}, "training", 3, 10, 0.5, 0.25, 44}};
    const auto lines = render_progress(progress, 200, 9);
    REQUIRE(lines.size() == 2);
    CHECK_THAT(lines[0], ContainsText("2/4 jobs (1 failed), 1 running"));
    CHECK_THAT(lines[1], ContainsText("fold 2, loss bce") && ContainsText("training") && ContainsText("epoch 3/10") &&
                             ContainsText("loss 0.2500") && ContainsText("44 records/s") && ContainsText("4.0 s"));
    CHECK(render_progress(progress, 40, 9)[1].size() < 40);
}

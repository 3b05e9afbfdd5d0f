#include "orchestrator/plan/grid.hpp"

#include <chrono>
#include <set>

#include "orchestrator/plan/validate.hpp"
#include "shared/core/files.hpp"
#include "shared/job/key.hpp"
#include "tests/orchestrator/plan/plan_support.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::test;
using Problems = std::vector<std::string>;

namespace {

std::vector<JobSpec> jobs_of(const std::string& yaml, const std::vector<std::string>& set = {}) {
    return specs_of(expand(sweep_of(yaml, set)).jobs);
}

/// "loss hz depth fold" of each job, for a look at their order.
std::vector<std::string> short_names(const std::vector<JobSpec>& jobs) {
    std::vector<std::string> names;
    for (const JobSpec& job : jobs)
        names.push_back(job.loss + " " + std::to_string(static_cast<int>(job.sampling_hz)) + " " +
                        std::to_string(job.model.depth) + " " + std::to_string(job.fold));
    return names;
}

/// The sweep that the grammar is explained with.
std::string example_of_readme() {
    const std::string readme = read_file(std::string(LEADSWEEP_SOURCE_DIR) + "/sweeps/README.md");
    const std::size_t start = readme.find("```yaml\n") + 8;
    return readme.substr(start, readme.find("```", start) - start);
}

}  // namespace

TEST_CASE("A sweep without axes is one job, fully resolved", "[grid]") {
    const auto jobs = jobs_of(kData + "base: {loss: focal}\n");
    REQUIRE(jobs.size() == 1);
    CHECK(jobs[0].loss == "focal");
    CHECK(jobs[0].data.synthetic.patients == 5);
    CHECK(jobs[0].train.batch == JobSpec{}.train.batch);
}

TEST_CASE("Jobs come in file order, the last axis fastest, zips after axes, included points last", "[grid]") {
    CHECK(short_names(jobs_of(kData + "folds: {k: 3}\n"
                                      "zip: [{sampling_hz: [100, 50], model.depth: [6, 3]}]\n"
                                      "axes: {loss: [focal, bce], fold: [2, 0]}\n"
                                      "include: [{fold: all, loss: [soft_f1], sampling_hz: 25}]\n")) ==
          std::vector<std::string>{"focal 100 6 2", "focal 50 3 2", "focal 100 6 0", "focal 50 3 0",  //
                                   "bce 100 6 2", "bce 50 3 2", "bce 100 6 0", "bce 50 3 0",          //
                                   "soft_f1 25 6 0", "soft_f1 25 6 1", "soft_f1 25 6 2"});
}

TEST_CASE("The example of the grammar has the 210 jobs counted by hand", "[grid]") {
    const Grid grid = expand(sweep_of(example_of_readme()));
    CHECK(grid.jobs.size() == 210);
    CHECK(grid.notes.empty());
    std::set<std::string> points;
    std::size_t at_500 = 0;
    std::size_t at_25 = 0;
    for (const JobSpec& job : specs_of(grid.jobs)) {
        points.insert(point_of(job));
        CHECK(job.resources.devices == (job.sampling_hz == 500 ? 2 : 1));
        CHECK_FALSE((job.sampling_hz == 500 && job.model.depth == 9));
        CHECK((job.train.learning_rate == 2e-3) == (job.train.batch == 64));
        at_500 += job.sampling_hz == 500 ? 1 : 0;
        at_25 += job.sampling_hz == 25 ? 1 : 0;
    }
    CHECK(points.size() == 210);
    CHECK(at_500 == 40);  // 10 folds x 2 losses x depth 6 x 2 batches
    CHECK(at_25 == 10);
    const JobSpec first = grid.jobs[0];
    CHECK((first.fold == 0 && first.sampling_hz == 500 && first.loss == "bce" && first.model.depth == 6 &&
           first.train.batch == 32));
    CHECK(first.model.kernel_unit == "samples");
    CHECK(first.data.table.labels == "dx_snomed");
}

TEST_CASE("fold: all runs to folds.k, also where folds.k is an axis or set", "[grid]") {
    CHECK(jobs_of(kData + "folds: {k: 4}\naxes: {fold: all}\n").size() == 4);
    CHECK(jobs_of(kData + "axes: {fold: all}\n", {"folds.k=7"}).size() == 7);
    const auto jobs = jobs_of(kData + "axes: {fold: all, folds.k: [3, 5]}\n");
    CHECK(jobs.size() == 8);
    for (const JobSpec& job : jobs) CHECK(job.fold < job.folds.k);
    CHECK(jobs_of(kData + "base: {fold: 1}\naxes: {seed: [1]}\ninclude: [{seed: 2, fold: all, folds.k: [3, 4]}]\n")
              .size() == 8);
}

TEST_CASE("exclude drops points that match all its keys, by base values and lists too", "[grid]") {
    const std::string axes = kData + "axes: {loss: [bce, focal], sampling_hz: [100, 50, 25]}\n";
    CHECK(jobs_of(axes + "exclude: [{loss: bce, sampling_hz: 50}]\n").size() == 5);
    CHECK(jobs_of(axes + "exclude: [{loss: bce, sampling_hz: [50, 25]}]\n").size() == 4);
    CHECK(jobs_of(axes + "exclude: [{model.depth: 6, sampling_hz: 50.0}]\n").size() == 4);
    CHECK(jobs_of(axes + "exclude: [{model.depth: 7, sampling_hz: 50}]\n").size() == 6);
    CHECK(jobs_of(axes + "exclude: [{loss: bce}, {sampling_hz: 25}]\n").size() == 2);
}

TEST_CASE("Included points stand on the base, not on the axes, and are never excluded", "[grid]") {
    const auto jobs = jobs_of(kData +
                              "base: {model.depth: 4}\naxes: {sampling_hz: [100, 50], model.depth: [2, 3]}\n"
                              "exclude: [{sampling_hz: 25}, {sampling_hz: 50}]\n"
                              "include: [{sampling_hz: [25, 50], loss: [bce, focal]}]\n");
    CHECK(short_names(jobs) == std::vector<std::string>{"bce 100 2 0", "bce 100 3 0", "bce 25 4 0", "focal 25 4 0",
                                                        "bce 50 4 0", "focal 50 4 0"});
}

TEST_CASE("A list in include is one value for a key that takes lists, several when nested", "[grid]") {
    const std::string seed_axis = kData + "axes: {seed: [1]}\n";
    auto jobs = jobs_of(seed_axis + "include: [{model.kernels: [9, 5]}]\n");
    REQUIRE(jobs.size() == 2);
    CHECK(jobs[1].model.kernels == std::vector<double>{9, 5});
    CHECK(jobs_of(seed_axis + "include: [{model.kernels: [[9, 5], [7]]}]\n").size() == 3);
}

TEST_CASE("when follows the point as it was, the later entry wins", "[grid]") {
    const auto jobs = jobs_of(kData +
                              "axes: {sampling_hz: [100, 50]}\ninclude: [{sampling_hz: 25}]\n"
                              "when:\n"
                              "  - {if: {sampling_hz: [100, 25]}, set: {train.batch: 8, model: {depth: 2}}}\n"
                              "  - {if: {train.batch: 8}, set: {train.epochs: 1}}\n"
                              "  - {if: {sampling_hz: 25}, set: {train.batch: 4}}\n");
    REQUIRE(jobs.size() == 3);
    CHECK((jobs[0].train.batch == 8 && jobs[0].model.depth == 2));
    CHECK((jobs[1].train.batch == 32 && jobs[1].model.depth == 6));
    CHECK((jobs[2].train.batch == 4 && jobs[2].model.depth == 2));
    for (const JobSpec& job : jobs) CHECK(job.train.epochs == 30);
}

TEST_CASE("Rules that match nothing, and a sweep of one fold, are noted", "[grid]") {
    const Grid grid =
        expand(sweep_of(kData + "exclude: [{seed: 9}]\nwhen: [{if: {seed: 8}, set: {train.batch: 2}}]\n"));
    REQUIRE(grid.notes.size() == 3);
    CHECK(grid.notes[0] == "s.yaml:2:11: exclude matches no point");
    CHECK(grid.notes[1] == "s.yaml:3:8: when matches no point");
    CHECK(grid.notes[2].find("fold is no axis") != std::string::npos);
}

TEST_CASE("Duplicate points are errors that name both places", "[grid]") {
    CHECK(grid_problems(kData + "axes: {seed: [1, 2]}\ninclude: [{seed: 2}]\n") ==
          Problems{"s.yaml:3:11: duplicate point (seed 2), the same as at s.yaml:2:18"});
    CHECK(grid_problems(kData + "axes: {seed: [1, 2]}\ninclude: [{seed: 3}, {seed: 3}]\n") ==
          Problems{"s.yaml:3:22: duplicate point (seed 3), the same as at s.yaml:3:11"});
    CHECK(grid_problems(kData + "axes: {fold: all, resources.devices: [1, 2]}\n") ==
          Problems{
              "s.yaml:2:42: duplicate point (resources.devices 2), the same as at s.yaml:2:39: resources alone make no "
              "other experiment (10 points)"});
}

TEST_CASE("Impossible points are errors with the places of the values behind them, all at once", "[grid]") {
    CHECK(grid_problems(kData + "folds: {k: 3}\naxes: {fold: [2, 3]}\n") ==
          Problems{"s.yaml:3:18: fold 3 does not exist: folds.k is 3, folds are 0 ... 2 (folds.k at s.yaml:2:12)"});
    CHECK(
        grid_problems(
            kData + "axes: {sampling_hz: [100, 10], fold: all}\nbase: {explain.segments: 200, model.kernels: [9]}\n") ==
        Problems{"s.yaml:3:26: explain.segments is 200, but the window has only 100 samples (10 s at 10 Hz) "
                 "(sampling_hz at s.yaml:2:27) (10 points)"});
    CHECK(grid_problems(kData + "when: [{if: {loss: bce}, set: {train.batch: 2, resources.devices: 4}}]\n") ==
          Problems{
              "s.yaml:2:45: train.batch is 2, too small to be shared by 4 devices (resources.devices at s.yaml:2:67)"});
    CHECK(grid_problems("folds: {k: 2}\n").size() == 2);
    CHECK(grid_problems(kData, {"fold=12"}) ==
          Problems{"--set fold=12: fold 12 does not exist: folds.k is 10, folds are 0 ... 9"});
}

TEST_CASE("A sweep whose points are all excluded is an error", "[grid]") {
    CHECK(grid_problems(kData + "axes: {seed: [1, 2]}\nexclude: [{loss: bce}]\n") ==
          Problems{"s.yaml:3:11: every point is excluded, the sweep has no job"});
}

TEST_CASE("Every contradiction between keys is found", "[grid]") {
    JobSpec spec;
    spec.data.synthetic.patients = 4;
    REQUIRE(problems_of(spec).empty());
    REQUIRE_NOTHROW(validate(spec));
    SECTION("records and synthetic") {
        spec.data.records = "x";
    }
    SECTION("no records") {
        spec.data.synthetic.patients = 0;
    }
    SECTION("signs without their labels") {
        spec.data.synthetic.signs = {"V2"};
    }
    SECTION("a sign in a derived lead") {
        spec.data.labels = "synthetic";
        spec.data.synthetic.signs = {"aVL"};
    }
    SECTION("a sign twice") {
        spec.data.labels = "synthetic";
        spec.data.synthetic.signs = {"V2", "V2"};
    }
    SECTION("synthetic labels of real records") {
        spec.data.synthetic.patients = 0;
        spec.data.records = "x";
        spec.data.labels = "synthetic";
    }
    SECTION("a column without a file") {
        spec.data.table.labels = "dx";
    }
    SECTION("an unknown lead") {
        spec.data.leads = {"I", "V9"};
    }
    SECTION("a lead twice") {
        spec.data.leads = {"aVR", "AVR"};
    }
    SECTION("no lead") {
        spec.data.leads = {};
    }
    SECTION("fold beyond k") {
        spec.fold = 10;
    }
    SECTION("two folds with validation next") {
        spec.folds.k = 2;
    }
    SECTION("more segments than samples") {
        spec.explain.segments = 1000, spec.sampling_hz = 50;
    }
    SECTION("electrodes without lead I") {
        spec.explain.space = "electrodes", spec.data.leads = {"II", "V1"};
    }
    SECTION("electrodes of standardised leads") {
        spec.explain.space = "electrodes", spec.data.normalize = "zscore";
    }
    SECTION("fewer than two coalitions for each part") {
        spec.explain.method = "kernel_shap", spec.explain.perturbations = 200;
    }
    SECTION("no kernel") {
        spec.model.kernels = {};
    }
    SECTION("a fraction of a sample") {
        spec.model.kernels = {9.5};
    }
    SECTION("a kernel shorter than a sample") {
        spec.model.kernel_unit = "seconds", spec.model.kernels = {0.0001};
    }
    SECTION("a kernel longer than the window") {
        spec.model.kernels = {5001};
    }
    SECTION("a batch smaller than the gang") {
        spec.train.batch = 1, spec.resources.devices = 2;
    }
    SECTION("micro-batches larger than the batch") {
        spec.train.micro_batch = 33;
    }
    SECTION("weights of positives for a loss that has none") {
        spec.train.positive_weights = "balanced", spec.loss = "focal";
    }
    SECTION("weight decay for adam") {
        spec.train.weight_decay = 0.01;
    }
    SECTION("adamw without weight decay") {
        spec.train.optimizer = "adamw";
    }
    CHECK(problems_of(spec).size() == 1);
    CHECK_THROWS_AS(validate(spec), InputError);
}

TEST_CASE("A table without columns, or for generated records, is a contradiction", "[grid]") {
    JobSpec spec;
    spec.data.records = "x";
    spec.data.table.file = "t.csv";
    CHECK(problems_of(spec).size() == 1);
    spec.data.table.labels = "dx";
    CHECK(problems_of(spec).empty());
    spec.data.records.clear();
    spec.data.synthetic.patients = 2;
    CHECK(problems_of(spec).size() == 1);
}

TEST_CASE("A hundred thousand jobs expand in a moment", "[grid][bench]") {
    std::string seeds = "0";
    for (int i = 1; i < 1000; ++i) seeds += ", " + std::to_string(i);
    const SweepSpec sweep = sweep_of(kData + "axes: {seed: [" + seeds +
                                     "], fold: all, loss: [bce, focal], sampling_hz: [100, 75, 50, 25, 30]}\n" +
                                     "when: [{if: {sampling_hz: 100}, set: {train.batch: 16}}]\n");
    const auto start = std::chrono::steady_clock::now();
    const std::size_t count = expand(sweep).jobs.size();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cout << "expanded " << count << " jobs in " << seconds.count() << " s\n";
    CHECK(count == 100000);
}

// `submit` where there is no Slurm; tests/slurm has the real one.
#include <filesystem>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

Outcome submit(const SweepFolder& folder, std::vector<std::string> options) {
    options.insert(options.begin(), {"submit", folder.path("sweep.yaml"), "--site", folder.path("site.yaml")});
    return folder.leadsweep(options);
}

}  // namespace

TEST_CASE("submit --dry-run shows script and price without Slurm, and submits nothing") {
    SweepFolder folder;
    folder.write(fake_sweep(2));
    folder.write("nodes: 2\ngpus_per_node: 4\ntime: \"2:00:00\"\npartition: gpu\n", "site.yaml");
    auto command = folder.command(
        {"submit", folder.path("sweep.yaml"), "--site", folder.path("site.yaml"), "--dry-run", "--account", "ecg"});
    command.insert(command.end(), {"--", "--hung-after", "7"});
    const Outcome outcome = run_program(command, folder.environment, folder.path("command"));
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.out, {"#SBATCH --nodes=2\n", "#SBATCH --partition=gpu\n", "#SBATCH --account=ecg\n",
                             "--hung-after 7", "6 of 6 jobs are to be done",
                             "2 x 4 devices for at most 2 h 0 min: 16.0 device-hours", "Nothing was submitted"}));
    CHECK_FALSE(std::filesystem::exists(folder.db() + ".slurm"));
}

TEST_CASE("Options of submit that come after the two dashes are told") {
    SweepFolder folder;
    folder.write(fake_sweep(2));
    folder.write("", "site.yaml");
    const Outcome outcome = submit(folder, {"--dry-run", "--", "--quiet"});  // --db and the like follow
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"--db: after `--` come only options of `run`"}));
}

TEST_CASE("Without Slurm a submission is bad input, and says where to go") {
    SweepFolder folder;
    folder.write(fake_sweep(2));
    folder.write("", "site.yaml");
    folder.environment["PATH"] = folder.path("nothing");
    const Outcome outcome = submit(folder, {});
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"sbatch is not found: this machine has no Slurm", "leadsweep run"}));
}

TEST_CASE("Options and site files that Slurm would misread are told before anything starts") {
    SweepFolder folder;
    folder.write(fake_sweep(2));
    folder.write("partion: gpu\n", "site.yaml");
    CHECK(says(submit(folder, {"--dry-run"}).err, {"site.yaml:1:1: unknown key 'partion', did you mean 'partition'?"}));
    folder.write("", "site.yaml");
    const Outcome outcome = submit(folder, {"--time", "soon", "--partition", "a b", "--nodes", "0", "--dry-run"});
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"--partition: 'a b' is no name", "--time: 'soon' is no time limit", "--nodes: 0"}));
}

TEST_CASE("A time limit shorter than an epoch is told when planning, and not submitted") {
    SweepFolder folder;
    folder.environment["LEADSWEEP_FAKE_RESULT"] = "yes";
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "1.5";
    folder.write("", "site.yaml");
    folder.write(
        "name: slow\ndata: {synthetic: {patients: 12}}\nfolds: {k: 3}\nbase: {train.epochs: 1}\naxes: {fold: all}\n");
    REQUIRE(folder.run().code == 0);
    folder.write(
        "name: slow\ndata: {synthetic: {patients: 12}}\nfolds: {k: 3}\nbase: {train.epochs: 1}\n"
        "axes: {fold: all, seed: [1, 2]}\n");
    const Outcome plan = folder.leadsweep({"plan", folder.path("sweep.yaml"), "--time", "0:01"});
    CHECK(says(plan.out, {"Time limit 0:01 is too short: one epoch of 'fold ", "begin anew"}));
    CHECK(folder.leadsweep({"plan", folder.path("sweep.yaml"), "--time", "10"}).out.find("too short") ==
          std::string::npos);
    const Outcome outcome = submit(folder, {"--time", "0:01", "--dry-run"});
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"--time 0:01: one epoch of"}));
}

TEST_CASE("A sweep with nothing left to do is not submitted") {
    SweepFolder folder;
    folder.write(fake_sweep(1));
    folder.write("", "site.yaml");
    REQUIRE(folder.run().code == 0);
    const Outcome outcome = submit(folder, {});
    CHECK(outcome.code == 0);
    CHECK(says(outcome.out, {"nothing is left to do of 3 jobs; nothing is submitted"}));
}

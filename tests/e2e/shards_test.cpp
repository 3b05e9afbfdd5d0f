// Parts of a sweep with databases of their own, and their merge.
#include <csignal>
#include <random>

#include <fmt/format.h>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

constexpr int kShards = 4;

std::string sweep_text(const std::string& name = "parts") {
    return fmt::format(
        "name: {}\n"
        "data: {{synthetic: {{patients: 12, records_per_patient: 2}}}}\n"
        "folds: {{k: 3}}\n"
        "axes: {{sampling_hz: [100, 50], loss: [bce, double_soft_f1], seed: [1, 2, 3], fold: all}}\n",
        name);
}

/// Everything that people compare.
std::string tables_of(const SweepFolder& folder) {
    std::string text;
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"table", "--metric", "macro_f1,macro_auroc"},
          {"table", "--metric", "macro_f1", "--format", "csv"},
          {"map"},
          {"query", "SELECT job_id, sweep, fold, sampling_hz, loss, seed, state, macro_f1, macro_auroc FROM runs"},
          {"query", "SELECT * FROM lead_importance_by_class"}}) {
        const Outcome outcome = folder.leadsweep(command);
        CHECK(outcome.code == 0);
        text += outcome.out + outcome.err;
    }
    return text;
}

std::vector<std::string> shard(int index) {
    return {"--shard", fmt::format("{}/{}", index, kShards)};
}

/// Kills the part's run at random moments, and starts it again until it is complete. Gives how often it was killed.
int run_with_kills(const SweepFolder& folder, int index, std::mt19937& random) {
    int kills = 0;
    for (int start = 0; start < 20; ++start) {
        Process run(folder.run_command(shard(index)), folder.environment, folder.path("part"));
        const double wait_s = std::uniform_real_distribution(0.05, 0.6)(random);
        if (start < 3 && !wait_until(wait_s, [&] { return !run.is_running(); })) {
            run.signal(SIGKILL);
            ++kills;
            (void)run.wait();
            continue;
        }
        const Outcome outcome = run.wait(60);
        INFO(outcome.err);
        CHECK(outcome.code == 0);
        return kills;
    }
    return kills;
}

}  // namespace

TEST_CASE("A sweep in four shards, killed and restarted at random, and merged has the tables of one run") {
    SweepFolder whole;
    whole.write(sweep_text());
    whole.environment["LEADSWEEP_FAKE_RESULT"] = "yes";
    REQUIRE(whole.run().code == 0);
    SweepFolder parts;
    parts.write(sweep_text());
    parts.environment["LEADSWEEP_FAKE_RESULT"] = "yes";
    parts.environment["LEADSWEEP_FAKE_SECONDS"] = "0.05";
    std::mt19937 random(7);
    int kills = 0;
    for (int index = 1; index <= kShards; ++index) kills += run_with_kills(parts, index, random);
    CHECK(kills >= kShards);
    const Outcome merged = parts.leadsweep({"merge", "--shards", std::to_string(kShards)});
    INFO(merged.err);
    REQUIRE(merged.code == 0);
    CHECK(parts.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 36);
    CHECK(tables_of(parts) == tables_of(whole));

    // Once more adds nothing.
    const long attempts = parts.count("SELECT count(*) FROM attempts");
    const Outcome again = parts.leadsweep({"merge", "--shards", std::to_string(kShards)});
    CHECK(says(again.out, {"0 results, 0 attempts, 0 jobs are new"}));
    CHECK(parts.count("SELECT count(*) FROM attempts") == attempts);
    CHECK(tables_of(parts) == tables_of(whole));
    const Outcome nothing = parts.run();
    CHECK(nothing.code == 0);
    CHECK(says(nothing.err, {"nothing to do"}));
    const Outcome doctor = parts.leadsweep({"doctor"});
    INFO(doctor.out);
    CHECK(doctor.out.find("is not there") == std::string::npos);
}

TEST_CASE("A merge of some parts leaves the rest to be run") {
    SweepFolder folder;
    folder.write(sweep_text());
    folder.environment["LEADSWEEP_FAKE_RESULT"] = "yes";
    REQUIRE(folder.run(shard(1)).code == 0);
    REQUIRE(folder.run(shard(3)).code == 0);
    const Outcome missing = folder.leadsweep({"merge", "--shards", "4"});
    CHECK(missing.code == 2);
    CHECK(says(missing.err, {"results.2-of-4.sqlite: there is no such database", "results.4-of-4.sqlite"}));
    REQUIRE(
        folder.leadsweep({"merge", folder.path("results.1-of-4.sqlite"), folder.path("results.3-of-4.sqlite")}).code ==
        0);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 18);
    CHECK(folder.run().code == 0);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 36);
    CHECK(folder.executions().size() == 36);
    for (const auto& [key, times] : folder.executions()) CHECK(times == 1);
}

TEST_CASE("Databases of two sweeps are joined, and a result that both have counts once") {
    SweepFolder first;
    first.write(sweep_text("first"));
    first.environment["LEADSWEEP_FAKE_RESULT"] = "yes";
    REQUIRE(first.run().code == 0);
    SweepFolder second;
    second.write(sweep_text("second"));
    second.environment["LEADSWEEP_FAKE_RESULT"] = "yes";
    REQUIRE(second.run().code == 0);
    const Outcome merged = first.leadsweep({"merge", second.db()});
    INFO(merged.err);
    CHECK(merged.code == 0);
    CHECK(says(merged.out, {"0 results, 0 attempts, 0 jobs are new; 36 results were here already"}));
    CHECK(first.count("SELECT count(*) FROM runs WHERE sweep = 'second' AND state = 'finished'") == 36);
    CHECK(first.count("SELECT count(*) FROM attempts WHERE outcome = 'finished'") == 36);
    CHECK(first.leadsweep({"merge", first.db()}).code == 2);
    CHECK(
        says(first.leadsweep({"run", first.path("sweep.yaml"), "--shard", "5/4"}).err, {"--shard 5/4: expected i/n"}));
}

TEST_CASE("Parts that were made from other records are never mixed") {
    SweepFolder first;
    first.write(sweep_text());
    REQUIRE(first.run().code == 0);
    SweepFolder second;
    std::string other = sweep_text();
    second.write(other);
    second.environment["LEADSWEEP_FAKE_RECORDS"] = "other";
    REQUIRE(second.run().code == 0);
    const Outcome merged = first.leadsweep({"merge", second.db()});
    CHECK(merged.code == 2);
    CHECK(says(merged.err, {"36 jobs of sweep 'parts' have the same settings", "other records or another version"}));
    CHECK(first.count("SELECT count(*) FROM jobs") == 36);
}

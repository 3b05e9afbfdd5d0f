// Each way in which a worker can fail, for a part of the attempts: class, state and exit code are right, and the other
// jobs come out as if nothing had happened.
#include <fmt/format.h>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

struct Counts {
    long finished;
    long failed;
    long invalid;
    long bad_attempts;  ///< of the wanted class
    long other_attempts;
};

Counts counts_of(const SweepFolder& folder, const std::string& failure) {
    const auto count = [&](const std::string& what) { return folder.count("SELECT count(*) FROM " + what); };
    return {count("runs WHERE state = 'finished'"), count("runs WHERE state = 'failed'"),
            count("runs WHERE state = 'invalid'"), count(fmt::format("attempts WHERE outcome = '{}'", failure)),
            count(fmt::format("attempts WHERE outcome NOT IN ('finished', '{}')", failure))};
}

Outcome run_in_mode(SweepFolder& folder, const std::string& mode, const std::vector<std::string>& more = {}) {
    folder.write(fake_sweep(10));
    folder.environment["LEADSWEEP_FAKE_MODE"] = mode;
    const Outcome outcome = folder.run(more);
    CHECK(all_processes_end(5));
    return outcome;
}

/// A third of the attempts fails; each job is tried until it succeeds.
void require_recovery(const std::string& mode, const std::string& failure, const std::string& words) {
    SweepFolder folder;
    const Outcome outcome =
        run_in_mode(folder, mode + ":0.3", {"--set", "resources.max_attempts=20", "--breaker", "0"});
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    const Counts counts = counts_of(folder, failure);
    CHECK(counts.finished == 30);
    CHECK(counts.bad_attempts > 0);
    CHECK(counts.other_attempts == 0);
    CHECK(folder.count(fmt::format("SELECT count(*) FROM failures WHERE message LIKE '%{}%'", words)) ==
          counts.bad_attempts);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome = 'finished'") == 30);
}

/// A third of the attempts fails in a way that is not tried again.
void require_failures(const std::string& mode, const std::string& failure, const std::string& state) {
    SweepFolder folder;
    const Outcome outcome = run_in_mode(folder, mode + ":0.3", {"--breaker", "0"});
    INFO(outcome.err);
    CHECK(outcome.code == 1);
    const Counts counts = counts_of(folder, failure);
    CHECK(counts.bad_attempts > 0);
    CHECK((state == "failed" ? counts.failed : counts.invalid) == counts.bad_attempts);
    CHECK(counts.finished == 30 - counts.bad_attempts);
    CHECK(counts.other_attempts == 0);

    // The same command leaves them alone and says so; --retry with their class runs them again.
    folder.environment.erase("LEADSWEEP_FAKE_MODE");
    const Outcome same = folder.run();
    CHECK(same.code == 1);
    CHECK(says(same.err, {fmt::format("{} failed before", counts.bad_attempts)}));
    const Outcome retried = folder.run({"--retry", failure});
    CHECK(retried.code == 0);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 30);
}

}  // namespace

TEST_CASE("Workers that crash cost attempts and no job") {
    require_recovery("crash", "crashed", "signal 6");
}

TEST_CASE("Workers that exit by themselves cost attempts and no job") {
    require_recovery("exit", "crashed", "exit code 7");
}

TEST_CASE("Workers that send garbage are replaced") {
    require_recovery("garbage", "killed", "no message");
}

TEST_CASE("Results that are not what was announced are not taken") {
    require_recovery("badresult", "crashed", "result");
}

TEST_CASE("Diverged jobs fail at once, and the others finish") {
    require_failures("diverged", "diverged", "failed");
}

TEST_CASE("Invalid jobs are told apart, and the others finish") {
    require_failures("invalid", "invalid", "invalid");
}

TEST_CASE("Workers that write much on their standard output go on") {
    SweepFolder folder;
    const Outcome outcome = run_in_mode(folder, "noise:0.3");
    CHECK(outcome.code == 0);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 30);
    CHECK(folder.count("SELECT count(*) FROM attempts") == 30);
}

TEST_CASE("Jobs out of memory are tried once more, then fail and say what to lower") {
    SweepFolder folder;
    const Outcome outcome = run_in_mode(folder, "oom:0.5", {"--breaker", "0"});
    INFO(outcome.err);
    const Counts counts = counts_of(folder, "oom_device");
    CHECK(outcome.code == (counts.failed > 0 ? 1 : 0));
    CHECK(counts.finished + counts.failed == 30);
    CHECK(counts.bad_attempts > 0);
    CHECK(counts.other_attempts == 0);
    CHECK(
        folder.count("SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM attempts WHERE outcome = 'oom_device' "
                     "GROUP BY job_id)") <= 2);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'failed' AND attempts <> 2") == 0);
    CHECK(folder.count("SELECT count(*) FROM failures WHERE message LIKE '%train.batch%'") == counts.bad_attempts);
}

TEST_CASE("Workers that hang are ended, and the others go on") {
    SweepFolder folder;
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "12";
    folder.environment["LEADSWEEP_FAKE_MODE"] = "hang:0.5";
    folder.write(fake_sweep(4));
    const Outcome outcome =
        folder.run({"--hung-after", "1", "--set", "resources.max_attempts=1", "--breaker", "0"}, 90);
    INFO(outcome.err);
    const Counts counts = counts_of(folder, "hung");
    CHECK(outcome.code == 1);
    CHECK(counts.bad_attempts > 0);
    CHECK(counts.failed == counts.bad_attempts);
    CHECK(counts.finished == 12 - counts.failed);
    CHECK(counts.finished > 0);
    CHECK(counts.other_attempts == 0);
    CHECK(all_processes_end(5));
}

TEST_CASE("The same failure again and again stops the sweep and says why") {
    SweepFolder folder;
    const Outcome outcome = run_in_mode(folder, "crash");
    INFO(outcome.err);
    CHECK(outcome.code == 1);
    CHECK(says(outcome.err, {"the same failure", "10 times", "signal 6"}));
    CHECK(folder.count("SELECT count(*) FROM attempts") <= 12);
    CHECK(folder.count("SELECT count(*) FROM jobs WHERE state = 'running'") == 0);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 0);
    CHECK(folder.count("SELECT count(*) FROM events WHERE kind = 'sweep_stopped'") == 1);

    folder.environment.erase("LEADSWEEP_FAKE_MODE");
    const Outcome again = folder.run({"--retry", "all"});
    CHECK(again.code == 0);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 30);
}

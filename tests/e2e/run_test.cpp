// Sweeps of no-op jobs from start to end, and through what breaks on the way: workers and leadsweep itself are killed,
// the disk is full, a second leadsweep wants the same database.
#include <csignal>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

/// Thirty jobs that take a fifth of a second each.
void write_slow_sweep(SweepFolder& folder) {
    folder.write(fake_sweep(10));
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0.2";
}

bool have_run(const SweepFolder& folder, std::size_t jobs) {
    return wait_until(30, [&] { return folder.executions().size() >= jobs; });
}

void require_complete(const SweepFolder& folder, long jobs) {
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == jobs);
    CHECK(folder.count("SELECT count(*) FROM runs") == jobs);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 0);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome = 'finished'") == jobs);
    CHECK(folder.executions().size() == static_cast<std::size_t>(jobs));
}

void require_nothing_to_do(const SweepFolder& folder) {
    const auto before = folder.executions();
    const Outcome outcome = folder.run();
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"nothing to do"}));
    CHECK(folder.executions() == before);
}

bool is_once_each(const std::map<std::string, int>& executions) {
    for (const auto& [key, times] : executions)
        if (times != 1) return false;
    return true;
}

/// A small file system of its own; nothing is mounted where that is not allowed.
class SmallDisk {
public:
    explicit SmallDisk(const std::string& path) : path_(path) {
        std::filesystem::create_directories(path);
        is_mounted_ = ::mount("leadsweep-test", path.c_str(), "tmpfs", 0, "size=4m") == 0;
    }
    ~SmallDisk() {
        if (is_mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    bool is_mounted() const { return is_mounted_; }

private:
    std::string path_;
    bool is_mounted_ = false;
};

}  // namespace

TEST_CASE("A sweep runs every job once, and a second run has nothing to do") {
    const SweepFolder folder;
    folder.write(fake_sweep(10));
    const Outcome outcome = folder.run();
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(is_once_each(folder.executions()));
    require_complete(folder, 30);
    require_nothing_to_do(folder);
    CHECK(all_processes_end(5));
}

TEST_CASE("Jobs that share a device run side by side on workers of their own") {
    SweepFolder folder;
    write_slow_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "1";
    CHECK(folder.run({"--set", "resources.slots_per_device=3"}).code == 0);
    require_complete(folder, 30);
    CHECK(folder.count("SELECT count(DISTINCT worker) FROM attempts") == 3);
    CHECK(folder.count("SELECT count(DISTINCT device) FROM attempts") == 1);
}

TEST_CASE("A sweep that grows runs what is new only") {
    const SweepFolder folder;
    folder.write(fake_sweep(2));
    REQUIRE(folder.run().code == 0);
    folder.write(fake_sweep(5));
    CHECK(folder.run().code == 0);
    CHECK(is_once_each(folder.executions()));
    require_complete(folder, 15);
}

TEST_CASE("Killed workers cost their attempts only") {
    SweepFolder folder;
    write_slow_sweep(folder);
    Process sweep(folder.run_command(), folder.environment, folder.path("run"));
    REQUIRE(have_run(folder, 4));
    const auto workers = processes_below(sweep.pid(), "fake_worker");
    CHECK(workers.size() == 2);
    for (const pid_t worker : workers) ::kill(worker, SIGKILL);
    const Outcome outcome = sweep.wait();
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    require_complete(folder, 30);
    const long killed = folder.count("SELECT count(*) FROM failures WHERE class = 'killed'");
    CHECK(killed >= 1);
    CHECK(killed <= 2);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome NOT IN ('finished', 'killed')") == 0);
    CHECK(all_processes_end(5));
}

TEST_CASE("A run with a time limit starts what can end before it, and the next run goes on") {
    SweepFolder folder;
    write_slow_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0.4";
    const auto run_with_limit = [&folder](std::chrono::duration<double>& took) {
        const auto start = std::chrono::steady_clock::now();
        const Outcome outcome = folder.run({"--time-left", "3s"});
        took = std::chrono::steady_clock::now() - start;
        return outcome;
    };
    std::chrono::duration<double> idle_s{}, limited_s{};
    const Outcome too_short = run_with_limit(idle_s);  // starts no job: the time that starting and ending take here
    INFO(too_short.err);
    CHECK(too_short.code == 3);
    CHECK(says(too_short.err, {"30 jobs are left", "time limit"}));
    CHECK(folder.count("SELECT count(*) FROM attempts") == 0);  // how long a job takes is not known yet

    Process sweep(folder.run_command(), folder.environment, folder.path("run"));
    REQUIRE(have_run(folder, 4));
    sweep.signal(SIGINT);
    REQUIRE(sweep.wait().code == 3);
    const long before = folder.count("SELECT count(*) FROM jobs WHERE state = 'finished'");
    const Outcome limited = run_with_limit(limited_s);
    INFO(limited.err);
    CHECK(limited.code == 3);
    CHECK(limited_s.count() < 3.5 + idle_s.count());
    CHECK(folder.count("SELECT count(*) FROM jobs WHERE state = 'finished'") > before);
    CHECK(folder.count("SELECT count(*) FROM jobs WHERE state = 'finished'") < 30);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 0);

    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0";
    CHECK(folder.run({"--time-left", "1h"}).code == 0);
    require_complete(folder, 30);
    CHECK(folder.run({"--time-left", "soon"}).code == 2);
}

TEST_CASE("With --chaos workers are killed and stopped on purpose, and no job fails for it") {
    SweepFolder folder;
    folder.write(fake_sweep(40));
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0.02";
    const Outcome outcome = folder.run({"--chaos=5", "--set", "resources.max_attempts=1"});
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"chaos, seed 5, rank 0: ", " workers killed", "all 120 jobs completed regardless"}));
    require_complete(folder, 120);
    CHECK(folder.count("SELECT count(*) FROM failures WHERE class = 'interrupted' AND message LIKE '%--chaos%'") > 0);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome NOT IN ('finished', 'interrupted')") == 0);
    CHECK(all_processes_end(5));
}

TEST_CASE("A killed spawner interrupts a sweep, and the same command goes on") {
    SweepFolder folder;
    write_slow_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "1";
    Process sweep(folder.run_command(), folder.environment, folder.path("run"));
    REQUIRE(have_run(folder, 2));
    for (const pid_t spawner : processes_below(sweep.pid(), "leadsweep")) ::kill(spawner, SIGKILL);
    const Outcome outcome = sweep.wait(20);
    INFO(outcome.err);
    CHECK(outcome.code == 3);
    CHECK(says(outcome.err, {"the spawner process", "gone", "no supervisor is left"}));
    CHECK(all_processes_end(5));
    CHECK(folder.count("SELECT count(*) FROM jobs WHERE state = 'invalid'") == 0);
    CHECK(folder.run().code == 0);
    require_complete(folder, 30);
}

TEST_CASE("After leadsweep is killed the same command goes on, and finished jobs are not run again") {
    SweepFolder folder;
    write_slow_sweep(folder);
    Process sweep(folder.run_command(), folder.environment, folder.path("run"));
    REQUIRE(have_run(folder, 8));
    sweep.signal(SIGKILL);
    CHECK(sweep.wait(5).signal == SIGKILL);
    CHECK(all_processes_end(5));
    const auto finished = folder.ask("SELECT key FROM jobs WHERE state = 'finished'");
    CHECK(finished.size() >= 4);
    CHECK(finished.size() < 30);

    const Outcome again = folder.run();
    INFO(again.err);
    CHECK(again.code == 0);
    require_complete(folder, 30);
    const auto executions = folder.executions();
    for (const auto& key : finished) CHECK(executions.at(key) == 1);
    for (const auto& [key, times] : executions) CHECK(times <= 2);
    require_nothing_to_do(folder);
}

TEST_CASE("Interrupted once, leadsweep leaves cleanly and the same command goes on") {
    for (const int number : {SIGINT, SIGTERM}) {
        SweepFolder folder;
        write_slow_sweep(folder);
        Process sweep(folder.run_command(), folder.environment, folder.path("run"));
        REQUIRE(have_run(folder, 6));
        sweep.signal(number);
        const Outcome outcome = sweep.wait(20);
        CHECK(outcome.code == 3);
        CHECK(says(outcome.err, {"the same command goes on"}));
        CHECK(all_processes_end(5));
        CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 0);
        CHECK(folder.count("SELECT count(*) FROM jobs WHERE state IN ('failed', 'invalid', 'running')") == 0);
        CHECK(folder.run().code == 0);
        CHECK(is_once_each(folder.executions()));
        require_complete(folder, 30);
    }
}

TEST_CASE("Interrupted twice, leadsweep stops at once and the same command goes on") {
    SweepFolder folder;
    folder.write(fake_sweep(10));
    folder.environment["LEADSWEEP_FAKE_MODE"] = "hang";
    Process sweep(folder.run_command(), folder.environment, folder.path("run"));
    REQUIRE(wait_until(30, [&] { return processes_below(sweep.pid(), "fake_worker").size() == 2; }));
    REQUIRE(wait_until(30, [&] {
        return std::filesystem::exists(folder.db()) &&
               folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 2;
    }));
    sweep.signal(SIGINT);
    REQUIRE(wait_until(10, [&] { return sweep.error_text().find("once more") != std::string::npos; }));
    sweep.signal(SIGINT);
    CHECK(sweep.wait(15).code == 3);
    CHECK(all_processes_end(5));
    folder.environment.erase("LEADSWEEP_FAKE_MODE");
    CHECK(folder.run().code == 0);
    require_complete(folder, 30);
}

TEST_CASE("A second leadsweep on one database is refused and told who holds it") {
    SweepFolder folder;
    write_slow_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0.6";  // a second one starts meanwhile, whatever else runs
    Process first(folder.run_command(), folder.environment, folder.path("first"));
    REQUIRE(have_run(folder, 2));
    const Outcome second = folder.run();
    CHECK(second.code == 2);
    CHECK(says(second.err, {folder.db(), fmt::format("pid {}", first.pid())}));
    CHECK(folder.count("SELECT count(*) FROM runs") == 30);  // reading is allowed meanwhile
    CHECK(first.wait().code == 0);
    CHECK(is_once_each(folder.executions()));
    require_complete(folder, 30);
}

TEST_CASE("A full disk ends a sweep with a clear error, nothing half written, and it goes on once there is room") {
    SweepFolder folder;
    const SmallDisk disk(folder.path("disk"));
    if (!disk.is_mounted()) LEADSWEEP_SKIP("a file system can be mounted by root only");
    write_slow_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_RESULT"] = "yes";
    const std::vector<std::string> command{leadsweep_program(),
                                           "run",
                                           folder.path("sweep.yaml"),
                                           "--quiet",
                                           "--worker",
                                           fake_worker_program(),
                                           "--scratch",
                                           folder.path("scratch"),
                                           "--work",
                                           folder.path("disk/work"),
                                           "--db",
                                           folder.path("disk/results.sqlite")};
    const auto ask = [&](const std::string& sql) {
        const Outcome answer = run_program(
            {leadsweep_program(), "query", sql, "--format", "csv", "--db", folder.path("disk/results.sqlite")}, {},
            folder.path("query"));
        INFO(answer.err);
        REQUIRE(answer.code == 0);
        return answer.out;
    };
    Process sweep(command, folder.environment, folder.path("run"));
    REQUIRE(have_run(folder, 4));
    folder.write(std::string(std::size_t{4} << 20U, 'x'), "disk/filler");
    const Outcome outcome = sweep.wait();
    INFO(outcome.err);
    CHECK(outcome.code == 3);
    CHECK(says(outcome.err, {folder.path("disk/results.sqlite"), "the disk is full: free some space and start again"}));
    CHECK(all_processes_end(5));

    std::filesystem::remove(folder.path("disk/filler"));
    const Outcome again = run_program(
        [&] {
            auto with_retry = command;
            with_retry.insert(with_retry.end(), {"--retry", "all"});
            return with_retry;
        }(),
        folder.environment, folder.path("again"));
    CHECK(says(again.err, {"complete"}));
    CHECK(again.code == 0);
    CHECK(ask("SELECT count(*) FROM runs WHERE state = 'finished'").find("30") != std::string::npos);
    CHECK(ask("SELECT count(*) FROM attempts WHERE outcome IS NULL").find("\n0") != std::string::npos);
    CHECK(ask("SELECT count(*) FROM runs JOIN jobs USING (job_id) WHERE winning_attempt_id NOT IN "
              "(SELECT attempt_id FROM metrics)")
              .find("\n0") != std::string::npos);
}

// What people do while a sweep runs, and with none running: status, why, logs, retry, cancel, backup.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include <sched.h>
#include <sys/resource.h>

#include <fmt/format.h>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

constexpr const char* kEndlessQuestion =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// A sweep that runs until its test ends it; two workers, `seconds` a job.
struct RunningSweep {
    explicit RunningSweep(SweepFolder& folder, const std::string& seconds, int seeds = 4) {
        folder.write(fake_sweep(seeds));
        folder.environment["LEADSWEEP_FAKE_SECONDS"] = seconds;
        process = std::make_unique<Process>(folder.run_command(), folder.environment, folder.path("run"));
        const bool has_started = wait_until(30, [&] {
            return std::filesystem::exists(folder.db() + ".control") && std::filesystem::exists(folder.db()) &&
                   folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 2;
        });
        INFO(process->error_text());
        REQUIRE(has_started);
    }
    std::unique_ptr<Process> process;
};

long jobs_in(const SweepFolder& folder, const std::string& state) {
    return folder.count(fmt::format("SELECT count(*) FROM jobs WHERE state = '{}'", state));
}

void finish_a_sweep(SweepFolder& folder, int seeds = 2) {
    folder.write(fake_sweep(seeds));
    REQUIRE(folder.run().code == 0);
}

}  // namespace

TEST_CASE("Status of a running sweep tells who runs it, what runs, and what is done") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "20");
    const Outcome outcome = folder.leadsweep({"status"});
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.out, {"Sweep fake has been running", fmt::format("pid {}", sweep.process->pid()), "of 12 jobs",
                             "2 of 2 cpu workers busy", "seed 1, fold 0", "Jobs by state"}));
    CHECK(says(folder.leadsweep({"status", "--sweep", "fake"}).out, {"fake"}));
}

TEST_CASE("Status without a sweep shows what is stored, and names sweeps that it has") {
    SweepFolder folder;
    finish_a_sweep(folder);
    const Outcome outcome = folder.leadsweep({"status", "--watch"});  // ends at once: nothing runs
    CHECK(outcome.code == 0);
    CHECK(says(outcome.out, {"No sweep runs", "Jobs by state", "6"}));
    const Outcome wrong = folder.leadsweep({"status", "--sweep", "fak"});
    CHECK(wrong.code == 2);
    CHECK(says(wrong.err, {"no sweep 'fak'", "did you mean 'fake'"}));
    SweepFolder empty;
    CHECK(empty.leadsweep({"status"}).code == 2);
}

TEST_CASE("Watching ends with the sweep") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "0.6", 1);
    const Outcome outcome = folder.leadsweep({"status", "--watch"}, 60);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.out, {"Sweep fake has been running", "No sweep runs"}));
}

TEST_CASE("A question that takes long gives way to a running sweep") {
    SweepFolder folder;
    const auto ask_long = [&](const std::string& stem) {
        return std::make_unique<Process>(folder.command({"query", kEndlessQuestion}), folder.environment,
                                         folder.path(stem));
    };
    const int own = getpriority(PRIO_PROCESS, 0);
    {
        const RunningSweep sweep(folder, "5");
        const auto question = ask_long("during");
        CHECK(getpriority(PRIO_PROCESS, static_cast<id_t>(question->pid())) == own);
        CHECK(wait_until(20, [&] { return getpriority(PRIO_PROCESS, static_cast<id_t>(question->pid())) == 19; }));
    }
    const auto question = ask_long("after");
    CHECK_FALSE(wait_until(2, [&] { return getpriority(PRIO_PROCESS, static_cast<id_t>(question->pid())) != own; }));
}

TEST_CASE("A question that takes long rests where others want its processor, though it is of another session") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "8");
    cpu_set_t allowed;
    REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    int core = 0;
    while (!CPU_ISSET(core, &allowed)) ++core;
    const auto on_core = [&](std::vector<std::string> words, const std::string& stem) {
        words.insert(words.begin(), {"taskset", "--cpu-list", std::to_string(core)});
        return std::make_unique<Process>(words, folder.environment, folder.path(stem));
    };
    const auto one = on_core({"sh", "-c", "while :; do :; done"}, "one");
    const auto other = on_core({"sh", "-c", "while :; do :; done"}, "other");
    std::vector<std::string> words = folder.command({"query", kEndlessQuestion});
    words.insert(words.begin(), "setsid");
    const auto question = on_core(words, "question");
    REQUIRE(wait_until(20, [&] { return getpriority(PRIO_PROCESS, static_cast<id_t>(question->pid())) == 19; }));
    const double before = processor_seconds_of(question->pid());
    std::this_thread::sleep_for(std::chrono::seconds(4));
    CHECK(question->is_running());
    CHECK(processor_seconds_of(question->pid()) - before < 0.6);  // a fair share is 2 s, its own 0.06
}

TEST_CASE("Cancelled jobs of a running sweep are stopped or never start, and stay cancelled until retried") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "1.5");
    const Outcome cancelled = folder.leadsweep({"cancel", "1", "12", "seed 3, fold 1"});
    INFO(cancelled.err);
    CHECK(cancelled.code == 0);
    CHECK(says(cancelled.out, {"cancelled: 3 (2 waited, 1 are being stopped)"}));
    const Outcome why = folder.leadsweep({"why", "12"});
    CHECK(says(why.out, {"state cancelled", "asked by", "leadsweep retry 12"}));
    CHECK(folder.leadsweep({"retry", "12"}).out.starts_with("to be tried again: 1 (1 in the running sweep"));

    const Outcome ended = sweep.process->wait(60);
    CHECK(ended.code == 1);
    CHECK(jobs_in(folder, "finished") == 10);
    CHECK(jobs_in(folder, "cancelled") == 2);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome = 'cancelled'") == 1);

    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0";
    CHECK(folder.run().code == 1);
    CHECK(jobs_in(folder, "cancelled") == 2);
    CHECK(says(folder.leadsweep({"retry", "--class", "cancelled"}).out, {"to be tried again: 2 (0 in the running"}));
    CHECK(folder.run().code == 0);
    CHECK(jobs_in(folder, "finished") == 12);
}

TEST_CASE("Without a sweep, cancel and retry change the database themselves") {
    SweepFolder folder;
    folder.environment["LEADSWEEP_FAKE_MODE"] = "diverged";
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "1";
    folder.write(fake_sweep(2));
    REQUIRE(folder.run({"--breaker", "3"}).code == 1);
    REQUIRE(jobs_in(folder, "waiting") == 3);
    const std::string group = folder.ask("SELECT group_id FROM jobs WHERE state = 'waiting' LIMIT 1").at(0);
    CHECK(says(folder.leadsweep({"cancel", group.substr(0, 10)}).out, {"cancelled: 3 (3 waited"}));
    CHECK(says(folder.leadsweep({"cancel", "--sweep", "fake"}).out, {"cancelled: 0", "6 had ended before"}));
    CHECK(says(folder.leadsweep({"why", "1"}).out, {"state failed", "diverged", "attempt"}));
    CHECK(says(folder.leadsweep({"retry", "--class", "diverged"}).out, {"to be tried again: 3"}));
    CHECK(says(folder.leadsweep({"retry", "--all"}).out, {"to be tried again: 3"}));
    CHECK(says(folder.leadsweep({"why", "1"}).out, {"state waiting", "no sweep runs"}));
    folder.environment.erase("LEADSWEEP_FAKE_MODE");
    CHECK(folder.run().code == 0);
    CHECK(jobs_in(folder, "finished") == 6);
    CHECK(says(folder.leadsweep({"retry", "1"}).out, {"to be tried again: 0", "1 had nothing to retry"}));
}

TEST_CASE("A failed job of a running sweep runs again in it when it is retried") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "2", 1);
    REQUIRE(folder.leadsweep({"cancel", "1"}).code == 0);
    REQUIRE(wait_until(20, [&] { return jobs_in(folder, "cancelled") == 1; }));
    CHECK(says(folder.leadsweep({"retry", "1"}).out, {"1 in the running sweep"}));
    CHECK(sweep.process->wait(60).code == 0);
    CHECK(jobs_in(folder, "finished") == 3);
}

TEST_CASE("Why tells of each attempt, and of what holds a job back now") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "20");
    CHECK(says(folder.leadsweep({"why", "1"}).out, {"state running", "Now: "}));
    const Outcome waiting = folder.leadsweep({"why", "seed 4, fold 2"});
    CHECK(waiting.code == 0);
    CHECK(says(waiting.out, {"Job 12 of sweep fake", "state waiting", "Now: "}));
    const std::string key = folder.ask("SELECT key FROM jobs WHERE job_id = 5").at(0);
    CHECK(says(folder.leadsweep({"why", key.substr(0, 12)}).out, {"Job 5 of sweep fake"}));
}

TEST_CASE("Names that fit no job or several are refused, with what there is") {
    SweepFolder folder;
    finish_a_sweep(folder);
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"why", "fold 1"}, {"logs", "fold 1"}, {"cancel", "fold 1"}, {"retry", "fold 1"}}) {
        const Outcome several = folder.leadsweep(command);
        CHECK(several.code == 2);
        CHECK(says(several.err, {"could be any of 2 jobs", "fold 1, seed 1", "fold 1, seed 2"}));
    }
    for (const char* name : {"99", "abcdef0", "fold 77", "", ","}) {
        INFO(name);
        const Outcome none = folder.leadsweep({"why", name});
        CHECK(none.code == 2);
        CHECK(says(none.err, {"no job is called"}));
    }
    const Outcome two = folder.leadsweep({"cancel", "99", "98"});
    CHECK(two.code == 2);
    CHECK(says(two.err, {"'99'", "'98'"}));
    CHECK(folder.leadsweep({"cancel"}).code == 2);
    CHECK(folder.leadsweep({"retry"}).code == 2);
    CHECK(says(folder.leadsweep({"retry", "--class", "crash"}).err, {"no failure class", "crashed"}));
    CHECK(folder.leadsweep({"cancel", "--sweep", "none"}).code == 2);
    CHECK(folder.leadsweep({"logs", "1", "--attempt", "999999"}).code == 2);
}

TEST_CASE("Logs shows the piece that an attempt wrote, and its tail") {
    SweepFolder folder;
    folder.environment["LEADSWEEP_FAKE_MODE"] = "noise";
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "1";
    folder.write(fake_sweep(1));
    REQUIRE(folder.run().code == 0);
    const std::string attempt = folder.ask("SELECT attempt_id FROM attempts WHERE job_id = 2").at(0);
    const Outcome outcome = folder.leadsweep({"logs", "2", "--attempt", attempt});
    CHECK(outcome.code == 0);
    CHECK(outcome.out.size() == (std::size_t{4} << 20U) + 1);
    CHECK(says(outcome.err, {"worker-0-1.log"}));

    // The same log with lines in it: those of other attempts are not shown.
    const std::string path = folder.ask("SELECT log_path FROM attempts WHERE job_id = 2").at(0);
    const long end = folder.count("SELECT log_offset + log_length FROM attempts WHERE job_id = 2");
    std::string text(static_cast<std::size_t>(std::filesystem::file_size(path)), '\n');
    text.replace(static_cast<std::size_t>(end) - 14, 28, "first\nsecond!\nof another one");
    std::ofstream(path, std::ios::binary) << text;
    CHECK(folder.leadsweep({"logs", "2", "--tail", "1"}).out == "second!\n");
    CHECK(folder.leadsweep({"logs", "2", "--tail", "2"}).out == "first\nsecond!\n");

    std::filesystem::remove(path);
    const Outcome gone = folder.leadsweep({"logs", "2"});
    CHECK(gone.code == 2);
    CHECK(says(gone.err, {path, "no longer there"}));
}

TEST_CASE("A backup of a running sweep is whole, and overwrites nothing unasked") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "20");
    const std::string copy = folder.path("copy.sqlite");
    const Outcome outcome = folder.leadsweep({"backup", copy});
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.out, {copy, "12 jobs, 0 results, checked"}));
    CHECK(folder.leadsweep({"backup", copy}).code == 2);
    CHECK(folder.leadsweep({"backup", copy, "--force"}).code == 0);
    const Outcome itself = folder.leadsweep({"backup", folder.db(), "--force"});
    CHECK(itself.code == 2);
    CHECK(says(itself.err, {"the database itself"}));
    CHECK(folder.leadsweep({"backup", folder.path(".")}).code == 2);
    CHECK(std::filesystem::is_empty(folder.db() + ".control"));
    CHECK(sweep.process->is_running());
}

TEST_CASE("A backup without a sweep holds every result") {
    SweepFolder folder;
    finish_a_sweep(folder);
    const std::string copy = folder.path("copy.sqlite");
    CHECK(says(folder.leadsweep({"backup", copy}).out, {"6 jobs, 6 results"}));
    const Outcome rows =
        run_program({leadsweep_program(), "query", "SELECT count(*) FROM runs WHERE state = 'finished'", "--format",
                     "csv", "--db", copy},
                    {}, folder.path("rows"));
    CHECK(says(rows.out, {"6"}));
}

TEST_CASE("Ten commands at once are all answered by a running sweep") {
    SweepFolder folder;
    const RunningSweep sweep(folder, "20");
    for (int i = 0; i < 500; ++i) std::ofstream(fmt::format("{}.control/{}.request", folder.db(), i)) << "no request";
    std::vector<std::unique_ptr<Process>> clients;
    for (int i = 0; i < 10; ++i)
        clients.push_back(
            std::make_unique<Process>(folder.command({i % 2 == 0 ? "why" : "cancel", std::to_string(3 + i)}),
                                      folder.environment, folder.path(fmt::format("client{}", i))));
    for (auto& client : clients) CHECK(client->wait(60).code == 0);
    CHECK(jobs_in(folder, "cancelled") == 5);
    CHECK(sweep.process->is_running());
}

TEST_CASE("Commands after a coordinator was killed do their work themselves") {
    SweepFolder folder;
    {
        const RunningSweep sweep(folder, "20");
        sweep.process->signal(SIGKILL);
        (void)sweep.process->wait(10);
    }
    CHECK(says(folder.leadsweep({"status"}).out, {"No sweep runs"}));
    CHECK(says(folder.leadsweep({"cancel", "--sweep", "fake"}).out, {"cancelled: 12 (12 waited"}));
    CHECK(jobs_in(folder, "cancelled") == 12);
}

TEST_CASE("A plan has no price before jobs like its own are finished, and one with an interval after") {
    SweepFolder folder;
    folder.write(fake_sweep(2));
    const auto plan = [&](const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments{"plan", folder.path("sweep.yaml")};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Outcome outcome = folder.leadsweep(arguments);
        CHECK(outcome.code == 0);
        return outcome.out;
    };
    CHECK(says(plan(), {"6 new", "6 jobs to do; no finished jobs like these yet on cpu devices"}));
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0.3";
    REQUIRE(folder.run().code == 0);
    CHECK(says(plan(), {"6 done", "nothing is left to do"}));
    folder.write(fake_sweep(4));
    CHECK(says(plan(),
               {"6 done, 6 new", "Price of 6 jobs on 2 cpu devices, as 6 finished jobs", "device-hours", "done on"}));
    CHECK(says(plan({"--devices", "6"}), {"Price of 6 jobs on 6 cpu devices"}));
    CHECK(says(plan({"--set", "data.synthetic.seed=2"}), {"Price of 12 jobs"}));  // other records, alike all the same
    CHECK(folder.leadsweep({"plan", folder.path("sweep.yaml"), "--devices", "0"}).code == 2);
}

TEST_CASE("Doctor finds what a killed sweep left, and repairs it") {
    SweepFolder folder;
    {
        const RunningSweep sweep(folder, "20");
        const Outcome beside = folder.leadsweep({"doctor"});
        CHECK(beside.code == 0);
        CHECK(says(beside.out, {"in use by host", "nothing is wrong"}));
        CHECK(folder.leadsweep({"doctor", "--repair"}).code == 2);
        sweep.process->signal(SIGKILL);
        (void)sweep.process->wait(10);
    }
    std::ofstream(folder.db() + ".control/1.request") << "left behind";
    std::ofstream(folder.path("work/lists.tmp.1")) << "half";
    const Outcome found = folder.leadsweep({"doctor"});
    CHECK(found.code == 1);
    CHECK(says(found.out, {"open attempt", "1.request", "lists.tmp.1", "4 findings"}));
    const Outcome repaired = folder.leadsweep({"doctor", "--repair"});
    INFO(repaired.out);
    CHECK(repaired.code == 0);
    CHECK(says(repaired.out, {"2 open attempts are closed", "nothing is wrong"}));
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0";
    CHECK(folder.run().code == 0);
    CHECK(folder.leadsweep({"doctor", "--quick"}).code == 0);
    CHECK(jobs_in(folder, "finished") == 12);
}

// Sweeps of no-op jobs over several MPI ranks of this machine, and the death of one of them.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

/// Thirty jobs of a fifth of a second for two devices of each of three ranks.
void write_sweep(SweepFolder& folder) {
    folder.write(fake_sweep(10));
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0.2";
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "6";
    folder.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
    folder.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
}

/// mpirun takes two names of this machine for two nodes, each with a daemon (Open MPI 4: orted) and a temporary folder
/// of its own.
void write_two_nodes(SweepFolder& folder) {
    folder.write(
        "#!/bin/sh\nTMPDIR=$(dirname \"$0\")/$1\nexport TMPDIR\nmkdir -p \"$TMPDIR\"\nshift\nexec sh -c \"$*\"\n",
        "agent");
    std::filesystem::permissions(folder.path("agent"), std::filesystem::perms::owner_all);
    folder.write("node0 slots=4\nnode1 slots=4\n", "hosts");
    folder.environment["OMPI_MCA_plm_rsh_agent"] = folder.environment["PRTE_MCA_plm_ssh_agent"] = folder.path("agent");
    folder.environment["OMPI_MCA_orte_default_hostfile"] = folder.environment["PRTE_MCA_prte_default_hostfile"] =
        folder.path("hosts");
    folder.environment["OMPI_MCA_rmaps_base_mapping_policy"] = "node:oversubscribe";
    folder.environment["OMPI_MCA_btl"] = "self,tcp";  // shared memory has one place for both nodes' ranks 0
    // Open MPI 5 asks the kernel for a route by the other node's interface: to an address of this machine there is none.
    folder.environment["OMPI_MCA_reachable"] = "weighted";
}

/// Daemons of mpirun, and the one above a process.
std::vector<pid_t> daemons_below(pid_t launcher) {
    auto found = processes_below(launcher, "orted");
    if (found.empty()) found = processes_below(launcher, "prted");
    return found;
}

/// Where a test is not about silence, a machine that stands still for seconds is no lost rank.
const std::vector<std::string> kPatient{"--rank-timeout", "60"};

std::vector<std::string> under_mpirun(const SweepFolder& folder, int ranks,
                                      const std::vector<std::string>& arguments = kPatient) {
    std::vector<std::string> command{"setsid", "--wait", "mpirun", "--oversubscribe", "-n", std::to_string(ranks)};
    for (const auto& argument : folder.run_command(arguments)) command.push_back(argument);
    return command;
}

void require_complete(const SweepFolder& folder) {
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 30);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 0);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome = 'finished'") == 30);
    CHECK(folder.executions().size() == 30);
}

/// Ranks on which attempts ran: a worker's number has its rank above bit 32.
long ranks_that_worked(const SweepFolder& folder) {
    return folder.count("SELECT count(DISTINCT worker >> 32) FROM attempts WHERE outcome = 'finished'");
}

/// Processes of a rank. What lies between them and the launcher differs between versions of Open MPI (mpirun, prterun),
/// the environment of a rank does not.
std::vector<pid_t> processes_of_rank(pid_t launcher, int rank) {
    std::vector<pid_t> found;
    for (const pid_t pid : processes_below(launcher, "leadsweep")) {
        if (text_of_process(pid, "environ").find(fmt::format("OMPI_COMM_WORLD_RANK={}", rank) + '\0') != std::string::npos)
            found.push_back(pid);
    }
    return found;
}

/// The process of a rank that has a spawner below it; -1 as long as there is none.
pid_t process_of_rank(pid_t launcher, int rank) {
    for (const pid_t pid : processes_of_rank(launcher, rank))
        if (!processes_below(pid, "leadsweep").empty()) return pid;
    return -1;
}

/// As soon as there is one.
pid_t first_process_of_rank(pid_t launcher, int rank) {
    const auto found = processes_of_rank(launcher, rank);
    return found.empty() ? -1 : found.front();
}

/// Workers that list devices or survey records, below a process.
std::vector<pid_t> helpers_below(pid_t ancestor, const std::string& command) {
    auto found = processes_below(ancestor, "fake_worker");
    std::erase_if(found, [&](pid_t pid) {
        return text_of_process(pid, "cmdline").find('\0' + command + '\0') == std::string::npos;
    });
    return found;
}

/// As when the first node of an allocation dies.
void kill_rank_zero_and_launcher(pid_t ancestor) {
    const pid_t rank = process_of_rank(ancestor, 0);
    REQUIRE(rank > 0);
    ::kill(parent_of(rank), SIGKILL);
    ::kill(rank, SIGKILL);
}

}  // namespace

TEST_CASE("Under mpirun the ranks share the devices and complete the sweep") {
    SweepFolder folder;
    write_sweep(folder);
    const Outcome outcome = run_program(under_mpirun(folder, 3), folder.environment, folder.path("run"));
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    require_complete(folder);
    CHECK(ranks_that_worked(folder) == 3);
    CHECK(all_processes_end(10));
}

TEST_CASE("Under mpirun a rank that is taken for lost when the sweep is complete leaves with the others") {
    SweepFolder folder;
    write_sweep(folder);
    Process sweep(under_mpirun(folder, 3, {"--rank-timeout", "1"}), folder.environment, folder.path("run"));
    REQUIRE(wait_until(40, [&] { return folder.executions().size() >= 4; }));
    const pid_t rank = process_of_rank(sweep.pid(), 2);
    REQUIRE(rank > 0);
    ::kill(rank, SIGSTOP);
    CHECK(wait_until(40, [&] { return folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 30; }));
    ::kill(rank, SIGCONT);
    const Outcome outcome = sweep.wait(60);
    INFO(outcome.err);
    CHECK(says(outcome.err, {"rank 2 on ", "is lost"}));
    CHECK(outcome.code == 0);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome IS NULL") == 0);
    CHECK(all_processes_end(10));
}

TEST_CASE("Under mpirun a sweep with nothing to do ends on all ranks") {
    SweepFolder folder;
    write_sweep(folder);
    REQUIRE(folder.run().code == 0);
    const Outcome outcome = run_program(under_mpirun(folder, 3), folder.environment, folder.path("again"));
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"nothing to do"}));
    CHECK(all_processes_end(10));
}

TEST_CASE("Under mpirun bad input ends all ranks") {
    SweepFolder folder;
    write_sweep(folder);
    folder.write("name: fake\nbase: {lss: bce}\n");
    const Outcome outcome = run_program(under_mpirun(folder, 3), folder.environment, folder.path("run"));
    CHECK(outcome.code != 0);
    CHECK(says(outcome.err, {"sweep.yaml:2:8"}));
    CHECK(all_processes_end(10));
}

TEST_CASE("With --ranks the sweep is complete and the exit code is rank 0's") {
    SweepFolder folder;
    write_sweep(folder);
    const Outcome outcome = folder.run({"--ranks", "3", "--rank-timeout", "60"});
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    require_complete(folder);
    CHECK(ranks_that_worked(folder) == 3);
    CHECK(all_processes_end(10));

    folder.environment["LEADSWEEP_FAKE_MODE"] = "invalid";
    folder.write(fake_sweep(11));
    CHECK(folder.run({"--ranks", "3"}).code == 1);
    CHECK(all_processes_end(10));
}

TEST_CASE("With --ranks a rank that is killed costs no job") {
    SweepFolder folder;
    write_sweep(folder);
    Process sweep(folder.run_command({"--ranks", "3"}), folder.environment, folder.path("run"));
    REQUIRE(wait_until(40, [&] { return folder.executions().size() >= 4; }));
    const pid_t rank = process_of_rank(sweep.pid(), 1);
    REQUIRE(rank > 0);
    ::kill(rank, SIGKILL);
    const Outcome outcome = sweep.wait(90);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    require_complete(folder);
    CHECK(folder.count("SELECT count(*) FROM events WHERE kind = 'supervisor_lost'") == 1);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE outcome NOT IN ('finished', 'node_lost')") == 0);
    CHECK(all_processes_end(10));
}

TEST_CASE("With --ranks a killed rank and then its node's daemon cost no job") {
    SweepFolder folder;
    write_sweep(folder);
    write_two_nodes(folder);
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "4";
    Process sweep(folder.run_command({"--ranks", "4"}), folder.environment, folder.path("run"));
    REQUIRE(wait_until(40, [&] { return folder.executions().size() >= 4; }));
    const pid_t rank = process_of_rank(sweep.pid(), 2);
    REQUIRE(rank > 0);
    ::kill(rank, SIGKILL);
    const bool is_told = wait_until(20, [&] { return sweep.error_text().find("is lost") != std::string::npos; });
    INFO(sweep.error_text());
    REQUIRE(is_told);
    const auto daemons = daemons_below(sweep.pid());
    if (daemons.empty()) LEADSWEEP_SKIP("this mpirun starts no daemons of its own here");
    ::kill(daemons.front(), SIGKILL);
    const Outcome outcome = sweep.wait(100);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"rank 2 on ", "is lost", "queued again"}));
    require_complete(folder);
    CHECK(all_processes_end(15));
}

TEST_CASE("With --ranks a rank that was stopped and taken for lost comes back with fresh workers") {
    SweepFolder folder;
    write_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_DEVICES"] = "2";
    folder.environment["LEADSWEEP_FAKE_SECONDS"] = "0.6";
    Process sweep(folder.run_command({"--ranks", "2", "--rank-timeout", "1"}), folder.environment, folder.path("run"));
    REQUIRE(wait_until(40, [&] { return folder.executions().size() >= 4; }));
    const pid_t rank = process_of_rank(sweep.pid(), 1);
    REQUIRE(rank > 0);
    ::kill(rank, SIGSTOP);
    CHECK(wait_until(20, [&] { return sweep.error_text().find("is lost") != std::string::npos; }));
    ::kill(rank, SIGCONT);
    const Outcome outcome = sweep.wait(60);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"rank 1 on ", "is back"}));
    require_complete(folder);
    CHECK(folder.count(
              "SELECT count(*) FROM attempts AS a WHERE worker >> 32 = 1 AND outcome = 'finished' AND attempt_id "
              "> (SELECT max(attempt_id) FROM attempts WHERE outcome = 'node_lost')") > 0);
    CHECK(all_processes_end(10));
}

TEST_CASE("With --ranks a rank 0 that dies before the ranks met is started again") {
    SweepFolder folder;
    write_sweep(folder);
    Process sweep(folder.run_command({"--ranks", "2"}), folder.environment, folder.path("run"));
    pid_t rank = -1;
    REQUIRE(wait_until(20, [&] { return (rank = first_process_of_rank(sweep.pid(), 0)) > 0; }));
    ::kill(rank, SIGKILL);
    const Outcome outcome = sweep.wait(100);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"starting again"}));
    require_complete(folder);
    CHECK(all_processes_end(10));
}

TEST_CASE("With --ranks a rank 0 and an mpirun that die before the ranks met take the others with them") {
    SweepFolder folder;
    write_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_HELPER_SECONDS"] = "2";  // while the ranks ask for their devices
    Process sweep(folder.run_command({"--ranks", "3"}), folder.environment, folder.path("run"));
    REQUIRE(wait_until(30, [&] { return helpers_below(sweep.pid(), "devices").size() == 3; }));
    kill_rank_zero_and_launcher(sweep.pid());
    const Outcome outcome = sweep.wait(100);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"starting again"}));
    require_complete(folder);
    CHECK(all_processes_end(1));
}

TEST_CASE("Under mpirun the ranks stay while rank 0 plans longer than they wait for a silent one") {
    SweepFolder folder;
    write_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_HELPER_SECONDS"] = "11";
    const Outcome outcome = run_program(under_mpirun(folder, 3, {}), folder.environment, folder.path("run"), 100);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(ranks_that_worked(folder) == 3);
    require_complete(folder);
    CHECK(all_processes_end(10));
}

TEST_CASE("Under an mpirun that outlives ranks the others end when rank 0 dies in planning") {
    SweepFolder folder;
    write_sweep(folder);
    folder.environment["LEADSWEEP_FAKE_HELPER_SECONDS"] = "3";
    auto command = under_mpirun(folder, 3, {});
    command.insert(command.begin() + 3, "--enable-recovery");
    Process sweep(command, folder.environment, folder.path("run"));
    REQUIRE(wait_until(60, [&] { return helpers_below(sweep.pid(), "survey").size() == 1; }));
    std::this_thread::sleep_for(std::chrono::seconds(1));  // the others, too, have left the exchange of devices
    const pid_t rank = process_of_rank(sweep.pid(), 0);
    REQUIRE(rank > 0);
    ::kill(rank, SIGKILL);
    const Outcome outcome = sweep.wait(60);
    INFO(outcome.err);
    CHECK(says(outcome.err, {"the coordinator is silent"}));
    CHECK(all_processes_end(10));
}

TEST_CASE("With --ranks an interrupt leaves a sweep that goes on") {
    SweepFolder folder;
    write_sweep(folder);
    Process sweep(folder.run_command({"--ranks", "3"}), folder.environment, folder.path("run"));
    REQUIRE(wait_until(40, [&] { return folder.executions().size() >= 4; }));
    sweep.signal(SIGINT);
    CHECK(sweep.wait(40).code == 3);
    CHECK(all_processes_end(10));
    CHECK(folder.run().code == 0);
    require_complete(folder);
    for (const auto& [key, times] : folder.executions()) CHECK(times == 1);
}

TEST_CASE("With --ranks a killed rank 0 is started again and the sweep completes") {
    SweepFolder folder;
    write_sweep(folder);
    Process sweep(folder.run_command({"--ranks", "3"}), folder.environment, folder.path("run"));
    REQUIRE(wait_until(40, [&] { return folder.executions().size() >= 4; }));
    const pid_t rank = process_of_rank(sweep.pid(), 0);
    REQUIRE(rank > 0);
    ::kill(rank, SIGKILL);
    const Outcome outcome = sweep.wait(100);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    require_complete(folder);
    for (const auto& [key, times] : folder.executions()) CHECK(times <= 2);
    CHECK(all_processes_end(10));
}

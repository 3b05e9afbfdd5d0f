#include "orchestrator/launch/supervisor.hpp"

#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include <fmt/format.h>

#include "shared/core/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;

namespace {

const std::string kFakeWorker = LEADSWEEP_BINARY_DIR "/bin/fake_worker";

bool ends_soon(pid_t pid) {
    for (int i = 0; i < 250 && ::kill(pid, 0) == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return ::kill(pid, 0) != 0;
}

/// A supervisor on its thread, and what it said.
class Rig {
public:
    explicit Rig(int workers, const std::string& program = kFakeWorker, std::int64_t slots = 1,
                 double coordinator_timeout_s = 10) {
        SupervisorSettings settings;
        settings.coordinator_timeout_s = coordinator_timeout_s;
        settings.worker_program = program;
        for (int i = 0; i < workers; ++i) settings.devices.push_back({"cpu", fmt::format("cpu-{}", i), "fake", {i}, 0});
        settings.node = "n1";
        settings.log_folder = folder_ / "logs";
        supervisor_ = std::make_unique<Supervisor>(settings, spawner_, mail_);
        thread_ = std::thread([this] { supervisor_->run(); });
        mail_.to_supervisor.push(StartWorkers{slots});
    }
    ~Rig() {
        mail_.to_supervisor.push(StopSupervisor{});
        thread_.join();
        ::unsetenv("LEADSWEEP_FAKE_MODE");
    }

    /// Waits for the next fact of a kind; other facts are dropped.
    template <class Kind>
    std::optional<Kind> next() {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < deadline) {
            for (auto& message : mail_.from_supervisor.wait_and_take(std::chrono::milliseconds(50)))
                waiting_.push_back(std::move(message));
            while (!waiting_.empty()) {
                FromSupervisor message = std::move(waiting_.front());
                waiting_.pop_front();
                if (auto* wanted = std::get_if<Kind>(&message)) return std::move(*wanted);
            }
        }
        return std::nullopt;
    }
    /// Waits for a message of a worker of this kind, beats and progress left out.
    template <class Kind>
    std::optional<Kind> next_from_worker() {
        while (auto fact = next<FromWorkerOf>())
            if (auto* wanted = std::get_if<Kind>(&fact->message)) return std::move(*wanted);
        return std::nullopt;
    }
    void assign(WorkerId worker, std::uint64_t attempt) {
        Assign assign;
        assign.attempt = {attempt};
        assign.key = "k";
        assign.attempt_folder = folder_ / "attempt";
        mail_.to_supervisor.push(ToWorkerOf{worker, assign});
    }
    SupervisorMail& mail() { return mail_; }
    Spawner& spawner() { return spawner_; }
    const TemporaryFolder& folder() const { return folder_; }

private:
    Spawner spawner_;
    TemporaryFolder folder_;
    SupervisorMail mail_;
    std::unique_ptr<Supervisor> supervisor_;
    std::thread thread_;
    std::deque<FromSupervisor> waiting_;
};

}  // namespace

TEST_CASE("Spawner tells exit codes, signals and programs that are not there", "[launch]") {
    Spawner spawner;
    TemporaryFolder folder;
    CHECK(spawner.run({{"/bin/sh", "-c", "echo $GREETING; exit 7"}, {{"GREETING", "hello"}}, folder / "out", false})
              .code == 7);
    CHECK(read_file(folder / "out") == "hello\n");
    CHECK(spawner.run({{"/bin/sh", "-c", "kill -9 $$"}, {}, folder / "out", false}).signal == SIGKILL);
    CHECK_THROWS_WITH(spawner.spawn({{"/nowhere/worker"}, {}, folder / "out", false}), ContainsText("/nowhere/worker"));
}

TEST_CASE("Children do not see the variables of the MPI launcher", "[launch]") {
    ::setenv("OMPI_COMM_WORLD_RANK", "3", 1);
    Spawner spawner;
    ::unsetenv("OMPI_COMM_WORLD_RANK");
    TemporaryFolder folder;
    CHECK(spawner.run({{"/bin/sh", "-c", "exit ${OMPI_COMM_WORLD_RANK:-0}"}, {}, folder / "out", false}).code == 0);
}

TEST_CASE("Children outlive the warning that Slurm sends to every process of a step", "[launch]") {
    Spawner spawner;
    TemporaryFolder folder;
    CHECK(spawner.run({{"/bin/sh", "-c", "kill -USR1 $$; exit 5"}, {}, folder / "out", false}).code == 5);
    CHECK(spawner.run({{"/bin/sh", "-c", "kill -TERM $$; exit 5"}, {}, folder / "out", false}).signal == SIGTERM);
}

TEST_CASE("Children of a spawner end with it", "[launch]") {
    pid_t child = 0;
    TemporaryFolder folder;
    {
        Spawner spawner;
        child = spawner.spawn({{"/bin/sleep", "100"}, {}, folder / "out", false}).pid;
        CHECK(::kill(child, 0) == 0);
    }
    CHECK(ends_soon(child));
}

TEST_CASE("Supervisor starts a worker a device and passes messages both ways", "[launch]") {
    Rig rig(2);
    CHECK(rig.next<SupervisorReady>()->devices == 2);
    const auto first = rig.next<WorkerReady>();
    const auto second = rig.next<WorkerReady>();
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->hello.device.uuid != second->hello.device.uuid);
    rig.assign(second->worker, 41);
    const auto finished = rig.next_from_worker<Finished>();
    REQUIRE(finished);
    CHECK(finished->attempt == AttemptId{41});
}

TEST_CASE("As many workers are started on each device as the coordinator asks for", "[launch]") {
    Rig rig(2, kFakeWorker, 3);
    std::map<std::string, int> workers;
    for (int i = 0; i < 6; ++i) {
        const auto ready = rig.next<WorkerReady>();
        REQUIRE(ready);
        ++workers[ready->hello.device.uuid];
    }
    CHECK(workers == std::map<std::string, int>{{"cpu-0", 3}, {"cpu-1", 3}});
}

TEST_CASE("A killed worker is told with its signal and replaced", "[launch]") {
    Rig rig(1);
    const auto worker = rig.next<WorkerReady>();
    REQUIRE(worker);
    ::kill(static_cast<pid_t>(worker->hello.pid), SIGKILL);
    const auto lost = rig.next<WorkerLost>();
    REQUIRE(lost);
    CHECK(lost->worker == worker->worker);
    CHECK(lost->failure == FailureClass::kKilled);
    CHECK(rig.next<WorkerReady>()->worker != worker->worker);
}

TEST_CASE("Commands to workers that have just died end nobody else", "[launch]") {
    Rig rig(1);
    for (std::uint64_t round = 1; round <= 30; ++round) {
        const auto worker = rig.next<WorkerReady>();
        REQUIRE(worker);
        ::kill(static_cast<pid_t>(worker->hello.pid), SIGKILL);
        for (int i = 0; i < 20; ++i) rig.assign(worker->worker, round);
        CHECK(rig.next<WorkerLost>());
    }
}

TEST_CASE("A crash is told apart from a kill, an exit, and garbage", "[launch]") {
    const auto [mode, failure, text] =
        GENERATE(table<std::string, FailureClass, std::string>({{"crash", FailureClass::kCrashed, "signal 6"},
                                                                {"exit", FailureClass::kCrashed, "exit code 7"},
                                                                {"garbage", FailureClass::kKilled, "no message"},
                                                                {"oversized", FailureClass::kKilled, "frame of"},
                                                                {"truncated", FailureClass::kCrashed, "exit code 0"},
                                                                {"closed", FailureClass::kKilled, "closed its pipe"}}));
    ::setenv("LEADSWEEP_FAKE_MODE", mode.c_str(), 1);
    Rig rig(1);
    const auto worker = rig.next<WorkerReady>();
    REQUIRE(worker);
    rig.assign(worker->worker, 1);
    const auto lost = rig.next<WorkerLost>();
    REQUIRE(lost);
    CHECK(lost->failure == failure);
    CHECK_THAT(lost->message, ContainsText(text));
}

TEST_CASE("A worker that prints megabytes goes on", "[launch]") {
    ::setenv("LEADSWEEP_FAKE_MODE", "noise", 1);
    Rig rig(1);
    const auto worker = rig.next<WorkerReady>();
    REQUIRE(worker);
    rig.assign(worker->worker, 1);
    CHECK(rig.next_from_worker<Finished>());
}

TEST_CASE("A supervisor whose spawner is killed says so, and its workers end", "[launch]") {
    Rig rig(2);
    const auto worker = rig.next<WorkerReady>();
    REQUIRE(worker);
    ::kill(rig.spawner().process(), SIGKILL);
    const auto failed = rig.next<SupervisorFailed>();
    REQUIRE(failed);
    CHECK_THAT(failed->message, ContainsText("spawner"));
    CHECK(ends_soon(static_cast<pid_t>(worker->hello.pid)));
}

TEST_CASE("A spawner that is stopped is ended with its children", "[launch]") {
    pid_t child = 0;
    TemporaryFolder folder;
    {
        Spawner spawner;
        child = spawner.spawn({{"/bin/sleep", "100"}, {}, folder / "out", false}).pid;
        ::kill(spawner.process(), SIGSTOP);
    }
    CHECK(ends_soon(child));
}

TEST_CASE("A supervisor that was taken for lost kills its workers and registers anew", "[launch]") {
    Rig rig(1);
    CHECK(rig.next<SupervisorReady>()->registration == 0);
    const auto worker = rig.next<WorkerReady>();
    REQUIRE(worker);
    rig.mail().to_supervisor.push(ResetSupervisor{7});
    const auto again = rig.next<SupervisorReady>();
    REQUIRE(again);
    CHECK(again->registration == 7);
    CHECK(::kill(static_cast<pid_t>(worker->hello.pid), 0) != 0);
    rig.mail().to_supervisor.push(StartWorkers{1});
    const auto fresh = rig.next<WorkerReady>();
    REQUIRE(fresh);
    CHECK(fresh->worker != worker->worker);
    rig.assign(fresh->worker, 5);
    CHECK(rig.next_from_worker<Finished>()->attempt == AttemptId{5});
}

TEST_CASE("A supervisor that hears nothing of its coordinator ends its workers and itself", "[launch]") {
    Rig rig(1, kFakeWorker, 1, 1);
    const auto worker = rig.next<WorkerReady>();
    REQUIRE(worker);
    CHECK(ends_soon(static_cast<pid_t>(worker->hello.pid)));
}

TEST_CASE("A worker program that cannot start is an error that names it", "[launch]") {
    Rig rig(1, "/bin/false");
    const auto failed = rig.next<SupervisorFailed>();
    REQUIRE(failed);
    CHECK_THAT(failed->message, ContainsText("/bin/false") && ContainsText("cpu-0"));
}

TEST_CASE("Devices are learned from the worker program", "[launch]") {
    Spawner spawner;
    TemporaryFolder folder;
    const auto devices = discover_devices(spawner, kFakeWorker, 1, folder.path().string());
    REQUIRE(devices.size() == 2);
    CHECK(devices[1].uuid == "cpu-1");
    CHECK_THROWS_WITH(discover_devices(spawner, "/bin/false", 1, folder.path().string()), ContainsText("/bin/false"));
    CHECK_THROWS_WITH(discover_devices(spawner, "/nowhere/worker", 1, folder.path().string()),
                      ContainsText("/nowhere/worker") && ContainsText("--worker"));
}

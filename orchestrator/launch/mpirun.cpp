#include "orchestrator/launch/mpirun.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr auto kOutliveGrace = std::chrono::seconds(10);

std::atomic<int> interrupts{0};

void on_interrupt(int) {
    interrupts.fetch_add(1, std::memory_order_relaxed);
}

pid_t start(const std::vector<std::string>& arguments) {
    std::vector<std::string> copy = arguments;
    std::vector<char*> pointers;
    for (auto& text : copy) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) throw FileError("mpirun", errno, "fork");
    if (pid == 0) {
        ::setsid();  // a terminal's interrupt must come by way of this process
        ::execvp(pointers[0], pointers.data());
        ::_exit(127);
    }
    return pid;
}

std::optional<int> code_in(const std::string& path) {
    if (!std::filesystem::exists(path)) return std::nullopt;
    return std::stoi(read_file(path));
}

/// Runs mpirun once. Nothing if rank 0 left no exit code.
std::optional<int> run_once(const std::vector<std::string>& command, const std::string& exit_file) {
    std::filesystem::remove(exit_file);
    const pid_t pid = start(command);
    int forwarded = 0;
    std::optional<std::chrono::steady_clock::time_point> deadline;
    while (true) {
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) == pid) {
            if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                throw Error("mpirun cannot be started: install Open MPI, or run without --ranks");
            return code_in(exit_file);
        }
        for (; forwarded < interrupts.load(); ++forwarded) ::kill(pid, SIGUSR1);
        const auto now = std::chrono::steady_clock::now();
        if (!deadline && std::filesystem::exists(exit_file)) deadline = now + kOutliveGrace;
        if (deadline && now > *deadline) {
            log::warning("mpirun outlives rank 0: ending it");
            ::kill(-pid, SIGKILL);
        }
        std::this_thread::sleep_for(kPoll);
    }
}

}  // namespace

int run_under_mpirun(int ranks, const std::vector<std::string>& arguments, const std::string& exit_file,
                     int relaunches) {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    ::setenv(kExitFileVariable, exit_file.c_str(), 1);
    std::vector<std::string> command{"mpirun", "--oversubscribe", "--enable-recovery", "-n", std::to_string(ranks)};
    command.insert(command.end(), arguments.begin(), arguments.end());
    for (int launch = 0; launch <= relaunches; ++launch) {
        const auto code = run_once(command, exit_file);
        std::filesystem::remove(exit_file);
        if (code) return *code;
        if (interrupts > 0) return kExitInterrupted;
        log::warning("rank 0 died{}", launch < relaunches ? ": starting again from the database" : " once too often");
    }
    return kExitInterrupted;
}

}  // namespace leadsweep

#include "orchestrator/slurm/external_program.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/core/descriptor.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

using Clock = std::chrono::steady_clock;

struct OutputPipe {
    UniqueDescriptor read_end;
    UniqueDescriptor write_end;
    OutputPipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw FileError("pipe", errno, "create");
        read_end = UniqueDescriptor(ends[0]);
        write_end = UniqueDescriptor(ends[1]);
    }
};

/// posix_spawnp with the given ends as stdout and stderr; nothing where the program is not there.
std::optional<pid_t> start(const std::vector<std::string>& arguments, int out, int err) {
    std::vector<std::string> copy = arguments;
    std::vector<char*> pointers;
    for (auto& text : copy) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    pid_t pid = 0;
    const int error = ::posix_spawnp(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT || error == EACCES) return std::nullopt;
    if (error != 0) throw FileError(arguments.front(), error, "start");
    return pid;
}

/// Appends what is there to read; closes the pipe at its end.
void drain(UniqueDescriptor& pipe, std::string& text) {
    std::array<char, 4096> buffer{};
    const ssize_t size = ::read(pipe.get(), buffer.data(), buffer.size());
    if (size > 0)
        text.append(buffer.data(), static_cast<std::size_t>(size));
    else if (size == 0 || errno != EINTR)
        pipe.reset();
}

}  // namespace

std::optional<ProgramEnd> run_external_program(const std::vector<std::string>& arguments,
                                               std::chrono::seconds patience) {
    const auto deadline = Clock::now() + patience;
    OutputPipe out;
    OutputPipe err;
    const auto pid = start(arguments, out.write_end.get(), err.write_end.get());
    if (!pid) return std::nullopt;
    out.write_end.reset();
    err.write_end.reset();
    ProgramEnd end;
    while (out.read_end.is_open() || err.read_end.is_open()) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        std::array<pollfd, 2> polled{{{out.read_end.is_open() ? out.read_end.get() : -1, POLLIN, 0},
                                      {err.read_end.is_open() ? err.read_end.get() : -1, POLLIN, 0}}};
        if (left <= 0) {
            ::kill(*pid, SIGKILL);
            ::waitpid(*pid, nullptr, 0);
            throw Error(fmt::format("{} did not answer within {} s", arguments.front(), patience.count()));
        }
        ::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left, 1000)));
        if (polled[0].revents != 0) drain(out.read_end, end.out);
        if (polled[1].revents != 0) drain(err.read_end, end.err);
    }
    int status = 0;
    while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
    return end;
}

}  // namespace leadsweep

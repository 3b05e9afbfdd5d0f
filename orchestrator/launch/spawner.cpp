#include "orchestrator/launch/spawner.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxRequestBytes = std::size_t{64} << 10U;
constexpr timeval kAnswerTimeout{10, 0};
constexpr auto kEndTimeout = std::chrono::seconds(2);
constexpr int kChildCommands = 3;
constexpr int kChildFacts = 4;

/// Variables of the MPI launcher and of PMIx: a child that saw them would take itself for a rank.
bool is_launcher_variable(std::string_view name) {
    for (const std::string_view prefix : {"OMPI_", "PMIX_", "PMI_", "PRTE_", "ORTE_"})
        if (name.starts_with(prefix)) return true;
    return false;
}

void send_message(int socket, const std::string& text, const std::vector<int>& descriptors) {
    iovec data{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
    }
    while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR) throw FileError("spawner socket", errno, "send");
}

/// Empty at the end of the stream.
std::string receive_message(int socket, std::vector<UniqueDescriptor>& descriptors) {
    std::string text(kMaxRequestBytes, '\0');
    iovec data{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t size = 0;
    while ((size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0)
        if (errno != EINTR) throw FileError("spawner socket", errno, "receive");
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        std::vector<int> raw(count);
        std::memcpy(raw.data(), CMSG_DATA(header), count * sizeof(int));
        for (const int descriptor : raw) descriptors.emplace_back(descriptor);
    }
    text.resize(static_cast<std::size_t>(size));
    return text;
}

struct Pipe {
    UniqueDescriptor read_end;
    UniqueDescriptor write_end;
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw FileError("pipe", errno, "create");
        read_end = UniqueDescriptor(ends[0]);
        write_end = UniqueDescriptor(ends[1]);
    }
};

/// In the child between fork and exec: only async-signal-safe calls. Reports errno of a failed exec on `failure`.
[[noreturn]] void become(char* const* arguments, char* const* environment, int output, int commands, int facts,
                         int failure) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGTERM, SIGPIPE}) std::signal(number, SIG_DFL);
    std::signal(SIGUSR1, SIG_IGN);  // Slurm's warning reaches every process of a step; it is for the coordinator
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null_input = ::open("/dev/null", O_RDONLY);
    ::dup2(null_input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    // Out of the way of 3 and 4 first: the pipe ends may themselves be 3 or 4.
    const int high_failure = ::fcntl(failure, F_DUPFD_CLOEXEC, 10);
    if (commands >= 0) {
        const int high_commands = ::fcntl(commands, F_DUPFD_CLOEXEC, 10);
        const int high_facts = ::fcntl(facts, F_DUPFD_CLOEXEC, 10);
        ::dup2(high_commands, kChildCommands);
        ::dup2(high_facts, kChildFacts);
    }
    ::execve(arguments[0], arguments, environment);
    const int error_number = errno;
    [[maybe_unused]] const auto written = ::write(high_failure, &error_number, sizeof error_number);
    ::_exit(127);
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

std::vector<std::string> child_environment(const Json& additions) {
    std::vector<std::string> environment;
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view text = *entry;
        const std::string name(text.substr(0, text.find('=')));
        if (!is_launcher_variable(name) && !additions.contains(name)) environment.emplace_back(text);
    }
    for (const auto& [name, value] : additions.items()) environment.push_back(name + "=" + value.get<std::string>());
    return environment;
}

/// The spawner process: serves requests until its parent is gone.
class SpawnerProcess {
public:
    SpawnerProcess(int requests, int exits) : requests_(requests), exits_(exits) {}

    void serve() {
        sigset_t children;
        sigemptyset(&children);
        sigaddset(&children, SIGCHLD);
        sigprocmask(SIG_BLOCK, &children, nullptr);
        const UniqueDescriptor signals(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
        std::array<pollfd, 2> polled{{{requests_, POLLIN, 0}, {signals.get(), POLLIN, 0}}};
        while (true) {
            if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) break;
            if (polled[1].revents != 0) {
                signalfd_siginfo info{};
                while (::read(signals.get(), &info, sizeof info) > 0) {
                }
                reap();
            }
            if (polled[0].revents != 0 && !answer()) break;
        }
        for (const pid_t pid : running_) ::kill(-pid, SIGKILL);
    }

private:
    bool answer() {
        std::vector<UniqueDescriptor> unused;
        const std::string text = receive_message(requests_, unused);
        if (text.empty()) return false;
        const Json request = Json::parse(text);
        if (request.contains("signal")) {
            const auto pid = request.at("pid").get<pid_t>();
            if (running_.contains(pid)) ::kill(-pid, request.at("signal").get<int>());
            send_message(requests_, "{}", {});
        } else {
            start(request);
        }
        return true;
    }

    void start(const Json& request) {
        try {
            auto arguments = request.at("arguments").get<std::vector<std::string>>();
            auto environment = child_environment(request.at("environment"));
            const auto path = request.at("output").get<std::string>();
            const UniqueDescriptor output(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
            if (!output.is_open()) throw FileError(path, errno, "open");
            const bool has_pipes = request.at("pipes").get<bool>();
            Pipe commands;
            Pipe facts;
            Pipe failure;
            const auto argument_pointers = pointers_to(arguments);
            const auto environment_pointers = pointers_to(environment);
            const pid_t pid = ::fork();
            if (pid < 0) throw FileError(arguments.at(0), errno, "fork");
            if (pid == 0)
                become(argument_pointers.data(), environment_pointers.data(), output.get(),
                       has_pipes ? commands.read_end.get() : -1, facts.write_end.get(), failure.write_end.get());
            failure.write_end.reset();
            int error_number = 0;
            if (::read(failure.read_end.get(), &error_number, sizeof error_number) > 0) {
                ::waitpid(pid, nullptr, 0);
                throw FileError(arguments.at(0), error_number, "start");
            }
            running_.insert(pid);
            std::vector<int> ends;
            if (has_pipes) ends = {commands.write_end.get(), facts.read_end.get()};
            send_message(requests_, Json{{"pid", pid}}.dump(), ends);
        } catch (const FileError& error) {
            send_message(requests_,
                         Json{{"path", error.path()}, {"errno", error.error_number()}, {"what", error.what()}}.dump(),
                         {});
        }
    }

    void reap() {
        int status = 0;
        pid_t pid = 0;
        while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
            running_.erase(pid);
            send_message(
                exits_,
                Json{pid, WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0}
                    .dump(),
                {});
        }
    }

    int requests_;
    int exits_;
    std::set<pid_t> running_;
};

}  // namespace

Spawner::Spawner() {
    std::array<int, 2> requests{};
    std::array<int, 2> exits{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, requests.data()) != 0 ||
        ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, exits.data()) != 0)
        throw FileError("spawner socket", errno, "create");
    pid_ = ::fork();
    if (pid_ < 0) throw FileError("spawner", errno, "fork");
    if (pid_ == 0) {
        ::setpgid(0, 0);
        for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGPIPE}) std::signal(number, SIG_IGN);
        ::close(requests[0]);
        ::close(exits[0]);
        try {
            SpawnerProcess(requests[1], exits[1]).serve();
        } catch (const std::exception&) {
            // The parent is gone or its socket broken; the children are killed by PR_SET_PDEATHSIG.
        }
        ::_exit(0);
    }
    ::close(requests[1]);
    ::close(exits[1]);
    requests_ = UniqueDescriptor(requests[0]);
    ::setsockopt(requests[0], SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof kAnswerTimeout);
    ::setsockopt(requests[0], SOL_SOCKET, SO_SNDTIMEO, &kAnswerTimeout, sizeof kAnswerTimeout);
    exits_ = UniqueDescriptor(exits[0]);
    ::fcntl(exits_.get(), F_SETFL, O_NONBLOCK);
}

Spawner::~Spawner() {
    requests_.reset();
    const auto deadline = std::chrono::steady_clock::now() + kEndTimeout;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
        // Its children are killed by PR_SET_PDEATHSIG.
        if (std::chrono::steady_clock::now() > deadline) ::kill(pid_, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

std::string Spawner::ask(const std::string& request, std::vector<UniqueDescriptor>& descriptors) {
    const std::lock_guard lock(mutex_);
    std::string answer;
    try {
        if (!is_deaf_) {
            send_message(requests_.get(), request, {});
            answer = receive_message(requests_.get(), descriptors);
        }
    } catch (const FileError&) {
        // Said below.
    }
    if (!answer.empty()) return answer;
    is_deaf_ = true;
    throw InterruptedError(
        fmt::format("the spawner process {} is gone or does not answer: no child can be started any more", pid_));
}

Child Spawner::spawn(const SpawnRequest& request) {
    std::vector<UniqueDescriptor> ends;
    const Json reply = Json::parse(ask(Json{{"arguments", request.arguments},
                                            {"environment", request.environment},
                                            {"output", request.output_path},
                                            {"pipes", request.has_pipes}}
                                           .dump(),
                                       ends));
    if (!reply.contains("pid"))
        throw FileError(reply.at("path").get<std::string>(), reply.at("errno").get<int>(), "start");
    Child child;
    child.pid = reply.at("pid").get<pid_t>();
    if (ends.size() == 2) {
        child.commands = std::move(ends[0]);
        child.facts = std::move(ends[1]);
        ::fcntl(child.commands.get(), F_SETFL, O_NONBLOCK);
        ::fcntl(child.facts.get(), F_SETFL, O_NONBLOCK);
    }
    return child;
}

void Spawner::signal(pid_t pid, int signal_number) {
    std::vector<UniqueDescriptor> unused;
    try {
        (void)ask(Json{{"pid", pid}, {"signal", signal_number}}.dump(), unused);
    } catch (const Error&) {
        ::kill(-pid, signal_number);
    }
}

std::vector<ChildExit> Spawner::take_exits() {
    std::vector<ChildExit> exits;
    std::array<char, 256> buffer{};
    while (true) {
        const ssize_t size = ::recv(exits_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size == 0) throw InterruptedError("the spawner process is gone: no child can be watched any more");
        if (size < 0) return exits;
        const Json row = Json::parse(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
        exits.push_back({row.at(0).get<pid_t>(), row.at(1).get<int>(), row.at(2).get<int>()});
    }
}

ChildExit Spawner::run(const SpawnRequest& request) {
    const Child child = spawn(request);
    pollfd polled{descriptor(), POLLIN, 0};
    while (true) {
        ::poll(&polled, 1, -1);
        for (const ChildExit& exit : take_exits())
            if (exit.pid == child.pid) return exit;
    }
}

}  // namespace leadsweep

#include "tests/e2e/program.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace leadsweep::e2e {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// What /proc tells of a process.
struct ProcessNote {
    pid_t pid = 0;
    pid_t parent = 0;
    std::string name;
    char state = 'X';
};

/// Processes that a Process object waits for itself.
std::set<pid_t>& waited_for() {
    static std::set<pid_t> pids;
    return pids;
}

std::string text_of(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::vector<ProcessNote> all_processes() {
    std::vector<ProcessNote> notes;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const std::string stat = text_of(entry.path() / "stat");
        const auto open = stat.find('(');
        const auto close = stat.rfind(')');
        if (open == std::string::npos || close == std::string::npos) continue;
        ProcessNote note;
        note.pid = static_cast<pid_t>(std::stol(name));
        note.name = stat.substr(open + 1, close - open - 1);
        std::istringstream(stat.substr(close + 1)) >> note.state >> note.parent;
        notes.push_back(note);
    }
    return notes;
}

std::vector<ProcessNote> notes_below(pid_t pid) {
    const auto all = all_processes();
    std::vector<ProcessNote> found;
    std::set<pid_t> parents{pid};
    for (bool is_growing = true; is_growing;) {
        is_growing = false;
        for (const auto& note : all) {
            if (!parents.contains(note.parent) || !parents.insert(note.pid).second) continue;
            found.push_back(note);
            is_growing = true;
        }
    }
    return found;
}

/// Orphans of dead programs become children of this process (PR_SET_CHILD_SUBREAPER); this takes their exits.
void reap_orphans() {
    for (const auto& note : notes_below(::getpid()))
        if (note.parent == ::getpid() && note.state == 'Z' && !waited_for().contains(note.pid))
            ::waitpid(note.pid, nullptr, WNOHANG);
}

void kill_all_below(pid_t pid) {
    for (const auto& note : notes_below(pid))
        if (note.state != 'Z') ::kill(note.pid, SIGKILL);
}

int open_for_output(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

}  // namespace

std::string program_folder() {
    const char* folder = std::getenv("LEADSWEEP_BIN");
    return folder ? folder : LEADSWEEP_BINARY_DIR "/bin";
}

std::string leadsweep_program() {
    return program_folder() + "/leadsweep";
}

std::string fake_worker_program() {
    return program_folder() + "/fake_worker";
}

std::string real_worker_program() {
    const std::string path = program_folder() + "/leadsweep-worker";
    return fs::exists(path) ? path : "";
}

Process::Process(const std::vector<std::string>& arguments, const Environment& environment, const std::string& stem)
    : stem_(stem) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    std::vector<std::string> copy = arguments;
    std::vector<char*> pointers;
    for (auto& text : copy) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error(fmt::format("cannot fork: {}", std::strerror(errno)));
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (const auto& [key, value] : environment) ::setenv(key.c_str(), value.c_str(), 1);
        ::dup2(::open("/dev/null", O_RDONLY), 0);
        ::dup2(open_for_output(stem_ + ".out"), 1);
        ::dup2(open_for_output(stem_ + ".err"), 2);
        ::execvp(pointers[0], pointers.data());
        ::_exit(127);
    }
    waited_for().insert(pid_);
}

Process::~Process() {
    if (!is_over_) {
        kill_all_below(pid_);
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    waited_for().erase(pid_);
    // What the program left behind is this process's now.
    if (!waited_for().empty()) return;
    for (int i = 0; i < 100 && !notes_below(::getpid()).empty(); ++i) {
        kill_all_below(::getpid());
        reap_orphans();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

bool Process::is_running() {
    if (!is_over_) is_over_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    return !is_over_;
}

void Process::signal(int number) const {
    ::kill(pid_, number);
}

Outcome Process::wait(double seconds) {
    if (!wait_until(seconds, [this] { return !is_running(); }))
        throw std::runtime_error(
            fmt::format("the program did not end within {} s; it said: {}", seconds, error_text()));
    Outcome outcome;
    if (WIFEXITED(status_)) outcome.code = WEXITSTATUS(status_);
    if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
    outcome.out = text_of(stem_ + ".out");
    outcome.err = text_of(stem_ + ".err");
    return outcome;
}

std::string Process::error_text() const {
    return text_of(stem_ + ".err");
}

Outcome run_program(const std::vector<std::string>& arguments, const Environment& environment, const std::string& stem,
                    double seconds) {
    return Process(arguments, environment, stem).wait(seconds);
}

std::vector<pid_t> processes_below(pid_t pid, const std::string& name) {
    std::vector<pid_t> pids;
    for (const auto& note : notes_below(pid))
        if (note.state != 'Z' && (name.empty() || note.name == name.substr(0, 15))) pids.push_back(note.pid);
    return pids;
}

std::string text_of_process(pid_t pid, const std::string& file) {
    return text_of(fmt::format("/proc/{}/{}", pid, file));
}

double processor_seconds_of(pid_t pid) {
    const std::string stat = text_of_process(pid, "stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 1));
    std::string unused;
    for (int field = 3; field < 14; ++field) fields >> unused;
    long user = 0;
    long system = 0;
    if (!(fields >> user >> system)) throw std::runtime_error(fmt::format("there is no process {}", pid));
    return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

pid_t parent_of(pid_t pid) {
    for (const auto& note : all_processes())
        if (note.pid == pid) return note.parent;
    throw std::runtime_error(fmt::format("there is no process {}", pid));
}

bool all_processes_end(double seconds) {
    return wait_until(seconds, [] {
        reap_orphans();
        return notes_below(::getpid()).empty();
    });
}

bool wait_until(double seconds, const std::function<bool()>& condition) {
    const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    while (!condition()) {
        if (Clock::now() > deadline) return condition();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

}  // namespace leadsweep::e2e

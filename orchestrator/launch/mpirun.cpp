#include "orchestrator/launch/mpirun.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/transport/mpi_world.hpp"
#include "shared/core/descriptor.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr auto kOutliveGrace = std::chrono::seconds(3);
constexpr auto kEndGrace = std::chrono::seconds(3);
constexpr auto kFirstStartTimeout = std::chrono::seconds(20);  ///< a rank that dies early leaves the others waiting
constexpr int kStartTimeoutGrowth = 3;                         ///< each start may take longer: clusters can be slow
constexpr std::string_view kLocked = "locked";
constexpr std::string_view kUnlocked = "unlocked";

std::atomic<int> interrupts{0};

void on_interrupt(int) {
    interrupts.fetch_add(1, std::memory_order_relaxed);
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::string mark_path(const std::string& exit_file) {
    return exit_file + ".rank0";
}

/// One start of mpirun and what came of it.
class Launch {
public:
    Launch(const std::vector<std::string>& command, std::string exit_file, std::chrono::seconds start_timeout)
        : exit_file_(std::move(exit_file)), start_timeout_(start_timeout) {
        std::filesystem::remove(exit_file_);
        std::filesystem::remove(mark_path(exit_file_));
        start(command);
    }
    ~Launch() {
        std::filesystem::remove(exit_file_);
        std::filesystem::remove(mark_path(exit_file_));
    }
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;

    /// What rank 0 said at its end; nothing if it died.
    std::optional<int> wait() {
        std::optional<Clock::time_point> rank_zero_ended;
        while (true) {
            look_for_end_of_mpirun();
            forward_interrupts();
            const bool is_rank_zero_over = std::filesystem::exists(exit_file_) || has_rank_zero_died();
            if (is_rank_zero_over && !rank_zero_ended) rank_zero_ended = Clock::now();
            if (!rank_zero_ended && !is_up_ && Clock::now() - started_ > start_timeout_) {
                log::error("the ranks did not come together within {} s", start_timeout_.count());
                rank_zero_ended = Clock::now();
            }
            if (has_ended_ && (rank_zero_ended || !is_rank_zero_alive())) return code();
            if (rank_zero_ended) end_mpirun(Clock::now() - *rank_zero_ended);
            std::this_thread::sleep_for(kPoll);
        }
    }

    /// Whether rank 0 was ever there.
    bool has_lived() const { return has_lived_; }

private:
    using Clock = std::chrono::steady_clock;

    void start(std::vector<std::string> command) {
        std::vector<char*> pointers;
        for (auto& text : command) pointers.push_back(text.data());
        pointers.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ < 0) throw FileError("mpirun", errno, "fork");
        if (pid_ != 0) return;
        ::setsid();  // a terminal's interrupt must come by way of this process
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        ::execvp(pointers[0], pointers.data());
        ::_exit(127);
    }

    void look_for_end_of_mpirun() {
        int status = 0;
        if (has_ended_ || ::waitpid(pid_, &status, WNOHANG) != pid_) return;
        has_ended_ = true;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
            throw Error("mpirun cannot be started: install Open MPI, or run without --ranks");
        if (is_rank_zero_alive()) log::warning("mpirun is gone, rank 0 goes on");
    }

    void forward_interrupts() {
        for (; forwarded_ < interrupts.load(); ++forwarded_) {
            const pid_t receiver = has_ended_ ? rank_zero_ : pid_;
            if (receiver > 0) ::kill(receiver, SIGUSR1);
        }
    }

    /// Where the file system gives no locks rank 0 is taken to live as long as mpirun does.
    bool is_rank_zero_alive() {
        const UniqueDescriptor file(::open(mark_path(exit_file_).c_str(), O_RDWR | O_CLOEXEC));
        if (!file.is_open()) return false;
        has_lived_ = true;
        const auto words = split(trim(read_file(mark_path(exit_file_))), ' ');
        is_up_ = is_up_ || words.size() == 3;
        if (words.size() == 3 && words[2] == host_name()) rank_zero_ = std::atoi(words[1].c_str());
        if (words[0] == kUnlocked) return !has_ended_;
        struct flock lock = whole_file();
        return ::fcntl(file.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    }

    /// It lived, and neither lives nor has said how it ended.
    bool has_rank_zero_died() { return !is_rank_zero_alive() && has_lived_ && !std::filesystem::exists(exit_file_); }

    /// SIGTERM makes mpirun end its ranks on all nodes; one that hangs is killed.
    void end_mpirun(Clock::duration since) {
        if (has_ended_ || (std::filesystem::exists(exit_file_) && since < kOutliveGrace)) return;
        if (!is_told_to_end_) ::kill(pid_, SIGTERM);
        if (!std::exchange(is_told_to_end_, true)) told_to_end_ = Clock::now();
        if (Clock::now() - told_to_end_ > kEndGrace) ::kill(pid_, SIGKILL);
    }

    std::optional<int> code() const {
        if (!std::filesystem::exists(exit_file_)) return std::nullopt;
        return std::stoi(read_file(exit_file_));
    }

    std::string exit_file_;
    std::chrono::seconds start_timeout_;
    pid_t pid_ = 0;
    pid_t rank_zero_ = 0;  ///< where it lives on this host
    int forwarded_ = 0;
    bool has_ended_ = false;
    bool has_lived_ = false;
    bool is_up_ = false;
    bool is_told_to_end_ = false;
    Clock::time_point started_ = Clock::now();
    Clock::time_point told_to_end_;
};

}  // namespace

void mark_rank_zero() {
    const char* exit_file = std::getenv(kExitFileVariable);
    if (!exit_file || !is_rank_zero()) return;
    static UniqueDescriptor file;  // to the end of the process: after the exit code is written
    const std::string fresh = mark_path(exit_file) + ".new";
    file = UniqueDescriptor(::open(fresh.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) throw FileError(fresh, errno, "open");
    struct flock lock = whole_file();
    // Without locks only the sight of rank 0's death is missed: silence tells of it later.
    const bool is_locked = ::fcntl(file.get(), F_OFD_SETLK, &lock) == 0;
    if (!is_locked) log::warning("{}: {}; the death of rank 0 will be seen late", fresh, std::strerror(errno));
    std::ofstream(fresh) << (is_locked ? kLocked : kUnlocked) << ' ';
    std::filesystem::rename(fresh, mark_path(exit_file));  // whoever sees it sees it locked
}

void mark_rank_zero_up() {
    const char* exit_file = std::getenv(kExitFileVariable);
    if (!exit_file) return;
    std::ofstream(mark_path(exit_file), std::ios::in | std::ios::ate) << ::getpid() << ' ' << host_name() << '\n';
}

int run_under_mpirun(int ranks, const std::vector<std::string>& arguments, const std::string& exit_file,
                     int relaunches) {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    std::signal(SIGUSR1, on_interrupt);
    ::setenv(kExitFileVariable, exit_file.c_str(), 1);
    // A daemon whose node is cut off ends within a minute, not after six.
    for (const auto& [name, value] : {std::pair("time", "20"), {"intvl", "5"}, {"probes", "4"}})
        ::setenv(fmt::format("OMPI_MCA_oob_tcp_keepalive_{}", name).c_str(), value, 0);
    // Open MPI 5 over TCP: the death of a rank closes its connections, which ends all others unless faults are expected.
    ::setenv("OMPI_MCA_mpi_ft_enable", "true", 0);
    std::vector<std::string> command{"mpirun", "--oversubscribe",    "--enable-recovery", "--bind-to", "none",
                                     "-n",     std::to_string(ranks)};
    command.insert(command.end(), arguments.begin(), arguments.end());
    auto start_timeout = kFirstStartTimeout;
    for (int number = 0; number <= relaunches; ++number, start_timeout *= kStartTimeoutGrowth) {
        Launch launch(command, exit_file, start_timeout);
        if (const auto code = launch.wait()) return *code;
        if (interrupts > 0) return kExitInterrupted;
        log::warning("{}{}",
                     launch.has_lived() ? "rank 0 died" : "mpirun did not start rank 0: its own words are above",
                     number < relaunches ? "; starting again from the database" : ", once too often");
    }
    return kExitInterrupted;
}

}  // namespace leadsweep

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <ctime>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/store/store_lock.hpp"

namespace leadsweep {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kSlice_ns = 10'000'000;
constexpr std::int64_t kSlicesOfRest = 70;  ///< to one of work
constexpr itimerval kFirst{{0, kSlice_ns / 1000}, {0, 500'000}};

// What the signal handler remembers.
std::int64_t last_ns = 0;
std::int64_t last_waited_ns = 0;

std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * kSecond_ns + now.tv_nsec;
}

/// How long this process has been ready to run and did not, since its start: the second field of /proc/self/schedstat;
/// 0 where the system does not tell.
std::int64_t waited_ns() {
    std::array<char, 128> text{};
    const int file = ::open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const ssize_t size = ::read(file, text.data(), text.size() - 1);
    ::close(file);
    if (size <= 0) return 0;
    const char* const begin = text.data();
    const char* const end = begin + size;
    const char* const space = std::find(begin, end, ' ');
    std::int64_t waited = 0;
    if (space != end) std::from_chars(space + 1, end, waited);
    return waited;
}

void begin_slice() {
    last_ns = now_ns();
    last_waited_ns = waited_ns();
}

/// Comes after each slice of a processor that was used. Only calls that a signal handler may make.
void rest_where_others_wait(int) {
    const int error = errno;
    setpriority(PRIO_PROCESS, 0, 19);
    const bool is_crowded = waited_ns() - last_waited_ns > kSlice_ns / 10;
    const std::int64_t rest = last_ns + kSlicesOfRest * kSlice_ns - now_ns();
    if (is_crowded && rest > 0) {
        const timespec length{rest / kSecond_ns, rest % kSecond_ns};
        nanosleep(&length, nullptr);
    }
    begin_slice();
    errno = error;
}

}  // namespace

// The lowest priority is not enough: Linux shares the processors between the sessions of two terminals before it looks
// at priorities, and a question would get half of one.
void give_way_to_sweep(const Places& places) {
    if (!StoreLock::holder_of(places.db)) return;
    begin_slice();
    struct sigaction action {};
    action.sa_handler = rest_where_others_wait;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, nullptr);
    setitimer(ITIMER_PROF, &kFirst, nullptr);
}

}  // namespace leadsweep

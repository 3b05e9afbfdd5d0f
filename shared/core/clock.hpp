// Time that never jumps, and the processor time of threads.
#pragma once

#include <chrono>
#include <ctime>

#include <pthread.h>

namespace leadsweep {

/// Seconds since some fixed moment of this machine; not affected by changes of the date.
inline double steady_now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Processor seconds that a living thread has used.
inline double cpu_seconds_of(pthread_t thread) {
    clockid_t clock{};
    timespec used{};
    if (::pthread_getcpuclockid(thread, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
    return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

}  // namespace leadsweep

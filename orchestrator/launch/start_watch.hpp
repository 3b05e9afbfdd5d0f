// Ends a rank whose start can come to nothing: it waits inside MPI, where nobody tells it that others are gone.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <sys/types.h>

namespace leadsweep {

/// From construction to destruction, when the ranks have met, by a thread of its own: where the launcher (the parent of
/// this process) has died, or after `longest`, the process ends with kExitInterrupted, at once and without destructors.
/// Nothing is lost: jobs have not begun.
class StartWatch {
public:
    explicit StartWatch(std::chrono::seconds longest = std::chrono::minutes(5));
    ~StartWatch();
    StartWatch(const StartWatch&) = delete;
    StartWatch& operator=(const StartWatch&) = delete;

private:
    void watch(std::chrono::seconds longest, pid_t launcher);

    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_over_ = false;
    std::thread thread_;
};

}  // namespace leadsweep

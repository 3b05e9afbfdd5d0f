// Waiting for what comes at once.
#pragma once

#include <chrono>
#include <thread>

namespace leadsweep {

/// A thread that slept is awake again after tens of microseconds, more on a virtual machine: as long as the
/// orchestrator itself needs for a job. So, where the last wait was short, this one looks a while before it sleeps, and
/// leaves the processor to whoever wants it meanwhile. Waits for work that lasts sleep at once.
class ShortWait {
public:
    /// `has_come` tells, without waiting, whether there is an end to wait for; `sleep` waits for it. One thread.
    template <class HasCome, class Sleep>
    void wait(HasCome has_come, Sleep sleep) {
        const auto start = Clock::now();
        bool is_over = false;
        while (is_short_ && !is_over && Clock::now() - start < kLongestLook) {
            is_over = has_come();
            if (!is_over) std::this_thread::yield();
        }
        if (!is_over) sleep();
        is_short_ = Clock::now() - start < kShort;
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::microseconds kLongestLook{100};
    static constexpr std::chrono::microseconds kShort{500};
    bool is_short_ = false;  ///< the last wait was
};

}  // namespace leadsweep

// One text for many waiting readers: each gets the newest one after the one it had. Inside serve/ only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

namespace leadsweep {

struct LiveNews {
    std::uint64_t status_number = 0;
    std::uint64_t page_number = 0;
    std::string status;
    bool is_over = false;
};

class Broadcast {
public:
    void tell_status(std::string status);
    void tell_page_changed();
    void end();
    /// Waits until there is something newer than `seen`, or `patience` is over; gives what there is.
    LiveNews wait(const LiveNews& seen, std::chrono::milliseconds patience);

    void enter();
    void leave();
    int readers() const;

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    LiveNews news_;
    int readers_ = 0;
};

}  // namespace leadsweep

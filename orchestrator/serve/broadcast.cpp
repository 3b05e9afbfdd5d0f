#include "orchestrator/serve/broadcast.hpp"

namespace leadsweep {

void Broadcast::tell_status(std::string status) {
    const std::lock_guard lock(mutex_);
    if (status == news_.status) return;
    news_.status = std::move(status);
    ++news_.status_number;
    changed_.notify_all();
}

void Broadcast::tell_page_changed() {
    const std::lock_guard lock(mutex_);
    ++news_.page_number;
    changed_.notify_all();
}

void Broadcast::end() {
    const std::lock_guard lock(mutex_);
    news_.is_over = true;
    changed_.notify_all();
}

LiveNews Broadcast::wait(const LiveNews& seen, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] {
        return news_.is_over || news_.status_number != seen.status_number || news_.page_number != seen.page_number;
    });
    return news_;
}

void Broadcast::enter() {
    const std::lock_guard lock(mutex_);
    ++readers_;
}

void Broadcast::leave() {
    const std::lock_guard lock(mutex_);
    --readers_;
}

int Broadcast::readers() const {
    const std::lock_guard lock(mutex_);
    return readers_;
}

}  // namespace leadsweep

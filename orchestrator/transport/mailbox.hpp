// A queue between two threads. The reader waits for it, or, if it asks for that, polls its descriptor with others.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

#include "orchestrator/transport/short_wait.hpp"
#include "shared/core/descriptor.hpp"

namespace leadsweep {

enum class MailboxReader { kWaits, kPolls };

template <class Message, MailboxReader kReader = MailboxReader::kWaits>
class Mailbox {
public:
    Mailbox() {
        if constexpr (kReader == MailboxReader::kPolls)
            event_ = UniqueDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    }

    void push(Message message) {
        {
            const std::lock_guard lock(mutex_);
            messages_.push_back(std::move(message));
            has_messages_.store(true, std::memory_order_relaxed);
            if (messages_.size() > 1) return;  // the reader has been called already
            if constexpr (kReader == MailboxReader::kPolls) {
                const std::uint64_t one = 1;
                [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
            }
        }
        arrived_.notify_one();
    }

    /// Everything that has arrived, in order; does not wait.
    std::vector<Message> take() {
        const std::lock_guard lock(mutex_);
        if (messages_.empty()) return {};
        if constexpr (kReader == MailboxReader::kPolls) {
            std::uint64_t count = 0;
            [[maybe_unused]] const auto read = ::read(event_.get(), &count, sizeof count);
        }
        has_messages_.store(false, std::memory_order_relaxed);
        return std::exchange(messages_, {});
    }

    /// Waits until something has arrived, at most `timeout`.
    std::vector<Message> wait_and_take(std::chrono::milliseconds timeout) {
        const auto has_some = [&] { return has_messages_.load(std::memory_order_relaxed); };
        wait_.wait(has_some, [&] {
            std::unique_lock lock(mutex_);
            arrived_.wait_for(lock, timeout, [&] { return !messages_.empty(); });
        });
        return take();
    }

    /// Readable while there is something to take.
    int descriptor() const
        requires(kReader == MailboxReader::kPolls)
    {
        return event_.get();
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<Message> messages_;
    std::atomic<bool> has_messages_{false};  ///< to look at without the lock
    ShortWait wait_;                         ///< of the reader
    UniqueDescriptor event_;
};

}  // namespace leadsweep

// The worker's side of its pipes: commands come in on one thread and are handed out one at a time, facts go out from
// any thread. Knows nothing of training.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>

#include "shared/protocol/messages.hpp"

namespace leadsweep {

class Session {
public:
    /// Starts to read commands from one descriptor and to send a heartbeat on the other. The process ends when the
    /// command pipe does: its supervisor is gone.
    Session(int command_descriptor, int fact_descriptor);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Thread-safe. Progress beyond 10 a second is left out.
    void tell(const FromWorker& fact);

    /// Waits for the next thing to do; nothing where the worker is to end.
    std::optional<std::variant<Assign, Prepare>> next();

    /// The attempt at hand was told to stop.
    bool should_stop() const { return is_stopped_.load(std::memory_order_relaxed); }
    FailureClass stop_reason() const { return stop_reason_.load(); }

    /// Waits for the meeting point of the gang. Throws JobError where it does not come in time, or a stop comes first.
    Rendezvous wait_for_rendezvous(AttemptId attempt, std::chrono::seconds patience);

private:
    void read_commands();
    void on_command(ToWorker command);
    void send_beats();

    int command_descriptor_;
    int fact_descriptor_;
    std::mutex fact_mutex_;
    std::chrono::steady_clock::time_point last_progress_{};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::variant<Assign, Prepare>> waiting_;
    std::optional<Rendezvous> rendezvous_;
    AttemptId current_;
    std::atomic<bool> is_stopped_ = false;
    std::atomic<FailureClass> stop_reason_ = FailureClass::kInterrupted;
    bool is_ending_ = false;
    std::thread reader_;
    std::thread beats_;
};

}  // namespace leadsweep

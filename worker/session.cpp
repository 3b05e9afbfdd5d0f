#include "worker/session.hpp"

#include <array>
#include <csignal>
#include <type_traits>

#include <unistd.h>

#include "shared/protocol/codec.hpp"
#include "shared/protocol/framing.hpp"

namespace leadsweep {
namespace {

constexpr auto kBeatInterval = std::chrono::seconds(1);
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

}  // namespace

Session::Session(int command_descriptor, int fact_descriptor)
    : command_descriptor_(command_descriptor), fact_descriptor_(fact_descriptor) {
    std::signal(SIGPIPE, SIG_IGN);
    reader_ = std::thread([this] { read_commands(); });
    beats_ = std::thread([this] { send_beats(); });
}

Session::~Session() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    changed_.notify_all();
    beats_.join();
    // The reader waits in read(): it ends with the process.
    reader_.detach();
}

void Session::tell(const FromWorker& fact) {
    const std::lock_guard lock(fact_mutex_);
    if (std::holds_alternative<Progress>(fact)) {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_progress_ < kProgressInterval) return;
        last_progress_ = now;
    }
    write_frame(fact_descriptor_, encode(fact));
}

std::optional<std::variant<Assign, Prepare>> Session::next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_ending_ || !waiting_.empty(); });
    if (is_ending_) return std::nullopt;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    return work;
}

Rendezvous Session::wait_for_rendezvous(AttemptId attempt, std::chrono::seconds patience) {
    std::unique_lock lock(mutex_);
    const auto is_here = [&] { return is_stopped_ || (rendezvous_ && rendezvous_->attempt == attempt); };
    if (!changed_.wait_for(lock, patience, is_here))
        throw JobError(FailureClass::kHung, "the first worker of the gang offered no meeting point in time");
    if (is_stopped_) throw JobError(stop_reason_, "stopped while waiting for the gang");
    return *rendezvous_;
}

void Session::read_commands() {
    FrameReader reader;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t size = ::read(command_descriptor_, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) ::_exit(kExitInterrupted);
        reader.feed({buffer.data(), static_cast<std::size_t>(size)});
        while (auto frame = reader.next()) on_command(decode_to_worker(*frame));
    }
}

void Session::on_command(ToWorker command) {
    const std::lock_guard lock(mutex_);
    std::visit(
        [&](auto& message) {
            using Message = std::remove_cvref_t<decltype(message)>;
            if constexpr (std::is_same_v<Message, Shutdown>) {
                is_ending_ = true;
                is_stopped_ = true;
            } else if constexpr (std::is_same_v<Message, Rendezvous>) {
                rendezvous_ = message;
            } else if constexpr (std::is_same_v<Message, Stop>) {
                if (message.attempt != current_) return;
                stop_reason_ = message.reason;
                is_stopped_ = true;
            } else {
                current_ = message.attempt;
                is_stopped_ = false;
                waiting_.emplace_back(std::move(message));
            }
        },
        command);
    changed_.notify_all();
}

void Session::send_beats() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kBeatInterval, [&] { return is_ending_; })) {
        lock.unlock();
        try {
            tell(Beat{});
        } catch (const FileError&) {
            ::_exit(kExitInterrupted);
        }
        lock.lock();
    }
}

}  // namespace leadsweep

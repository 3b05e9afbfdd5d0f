#include "orchestrator/launch/start_watch.hpp"

#include <csignal>

#include <pthread.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

constexpr std::chrono::milliseconds kPoll{100};

}  // namespace

StartWatch::StartWatch(std::chrono::seconds longest) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);  // the new thread inherits it: signals are for the others
    thread_ = std::thread([this, longest, launcher = ::getppid()] { watch(longest, launcher); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

StartWatch::~StartWatch() {
    {
        const std::lock_guard lock(mutex_);
        is_over_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void StartWatch::watch(std::chrono::seconds longest, pid_t launcher) {
    ::pthread_setname_np(::pthread_self(), "start watch");
    const auto deadline = std::chrono::steady_clock::now() + longest;
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kPoll, [this] { return is_over_; })) {
        if (::getppid() != launcher) ::_exit(kExitInterrupted);  // which has taken with it whoever could read why
        if (std::chrono::steady_clock::now() < deadline) continue;
        log::error("the ranks did not meet within {} s: look above for one that failed", longest.count());
        ::_exit(kExitInterrupted);
    }
}

}  // namespace leadsweep

#include "orchestrator/coordinator/interruption.hpp"

#include <array>
#include <atomic>
#include <csignal>

namespace leadsweep {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGUSR1};
std::atomic<int> signals_seen{0};
std::array<struct sigaction, kSignals.size()> earlier_actions;

void on_signal(int) {
    signals_seen.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Interruption::Interruption() {
    signals_seen = 0;
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &earlier_actions[i]);
}

Interruption::~Interruption() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &earlier_actions[i], nullptr);
}

int Interruption::count() const {
    return signals_seen.load(std::memory_order_relaxed);
}

}  // namespace leadsweep

#include "orchestrator/launch/chaos.hpp"

#include <algorithm>
#include <csignal>

namespace leadsweep {
namespace {

constexpr double kMeanAttempts = 20;
constexpr double kMeanSeconds = 30;
constexpr double kLongestDelay_s = 0.5;  ///< from the start of the attempt that is struck
constexpr double kShareOfKills = 2.0 / 3;
constexpr double kShortestStop_s = 0.1;
constexpr double kLongestStop_s = 3;

}  // namespace

void Chaos::draw(Plan& plan, double now_s) {
    plan.is_stopped = false;
    plan.due_s = now_s + std::exponential_distribution(1 / kMeanSeconds)(random_);
    plan.attempts_left = 1 + std::geometric_distribution(1 / kMeanAttempts)(random_);
}

void Chaos::on_started(WorkerId worker, double now_s) {
    draw(plans_[worker], now_s);
}

void Chaos::on_assigned(WorkerId worker, double now_s) {
    const auto found = plans_.find(worker);
    if (found == plans_.end() || found->second.is_stopped || --found->second.attempts_left != 0) return;
    found->second.due_s = std::min(found->second.due_s, now_s + uniform(0, kLongestDelay_s));
}

std::vector<ChaosAct> Chaos::take_due(double now_s) {
    std::vector<ChaosAct> acts;
    for (auto entry = plans_.begin(); entry != plans_.end();) {
        auto& [worker, plan] = *entry;
        if (now_s < plan.due_s) {
            ++entry;
        } else if (plan.is_stopped) {
            acts.push_back({worker, SIGCONT});
            draw(plan, now_s);
            ++entry;
        } else if (uniform(0, 1) < kShareOfKills) {
            acts.push_back({worker, SIGKILL});
            ++kills_;
            entry = plans_.erase(entry);
        } else {
            acts.push_back({worker, SIGSTOP});
            ++stops_;
            plan.is_stopped = true;
            plan.due_s = now_s + uniform(kShortestStop_s, kLongestStop_s);
            ++entry;
        }
    }
    return acts;
}

std::vector<WorkerId> Chaos::stopped() const {
    std::vector<WorkerId> workers;
    for (const auto& [worker, plan] : plans_)
        if (plan.is_stopped) workers.push_back(worker);
    return workers;
}

}  // namespace leadsweep

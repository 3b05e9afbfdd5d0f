#include "worker/train/autotune.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include <fmt/format.h>

#include "shared/core/log.hpp"
#include "worker/train/step_graph.hpp"

namespace leadsweep {
namespace {

constexpr int kStepsToWarmUp = 2;
constexpr int kStepsToTime = 3;
constexpr const char* kChannelsLast = "channels_last";
constexpr const char* kContiguous = "contiguous";

}  // namespace

std::string choose_fastest(const std::vector<Alternative>& alternatives, const std::function<void()>& step,
                           const std::function<double()>& now_s, Communicator& communicator) {
    std::vector<double> seconds;
    for (const auto& alternative : alternatives) {
        alternative.choose();
        double best = std::numeric_limits<double>::infinity();
        for (int i = 0; i < kStepsToWarmUp + kStepsToTime; ++i) {
            const double start = now_s();
            step();
            const double took = now_s() - start;
            if (i >= kStepsToWarmUp) best = std::min(best, took);
        }
        seconds.push_back(best);
        log::info("autotuning: {} takes {:.2f} ms a step", alternative.name, 1000 * best);
    }
    const auto fastest = std::min_element(seconds.begin(), seconds.end()) - seconds.begin();
    auto chosen = torch::full({1}, static_cast<std::int64_t>(fastest), torch::kInt64);
    communicator.broadcast_(chosen, 0);
    const auto& winner = alternatives.at(static_cast<std::size_t>(chosen.item<std::int64_t>()));
    winner.choose();
    log::info("autotuning: {} is chosen", winner.name);
    return winner.name;
}

std::string autotune_layout(Model& model, const std::function<void()>& step, Communicator& communicator) {
    at::globalContext().setBenchmarkCuDNN(true);
    const auto now_s = [&] {
        wait_for_device(model.device());
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    };
    const std::vector<Alternative> layouts{{kChannelsLast, [&] { set_layout(model, kChannelsLast); }},
                                           {kContiguous, [&] { set_layout(model, kContiguous); }}};
    return choose_fastest(layouts, step, now_s, communicator);
}

void set_layout(Model& model, const std::string& name) {
    model.set_layout(name == kContiguous ? torch::MemoryFormat::Contiguous : torch::MemoryFormat::ChannelsLast);
}

}  // namespace leadsweep

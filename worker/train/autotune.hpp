// Measured choices of a GPU, made once before training and logged. CPUs have none: channels_last is the fastest there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "worker/comm/communicator.hpp"
#include "worker/model/model.hpp"

namespace leadsweep {

struct Alternative {
    std::string name;
    std::function<void()> choose;
};

/// Collective: chooses each alternative in turn, runs `step` a few times under it, and leaves chosen the one whose
/// fastest step took rank 0 the least time. `now_s` is asked before and after each step. Returns its name.
std::string choose_fastest(const std::vector<Alternative>& alternatives, const std::function<void()>& step,
                           const std::function<double()>& now_s, Communicator& communicator);

/// Collective: layouts of the network's images, under cuDNN's own search for the fastest algorithms. `step` must leave
/// no trace in the network. Returns the layout's name: "channels_last" or "contiguous".
std::string autotune_layout(Model& model, const std::function<void()>& step, Communicator& communicator);

/// Sets the layout of this name.
void set_layout(Model& model, const std::string& name);

}  // namespace leadsweep

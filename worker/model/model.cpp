#include "worker/model/model.hpp"

#include <cmath>

#include <ATen/CPUGeneratorImpl.h>

#include "worker/model/layers.hpp"

namespace leadsweep {

void Model::synchronise_batch_norm(Communicator* communicator) {
    for (const auto& module : modules(/*include_self=*/false))
        if (auto* norm = dynamic_cast<BatchNorm*>(module.get())) norm->synchronise(communicator);
}

void Model::observe_only(bool is_observing) {
    for (const auto& module : modules(/*include_self=*/false))
        if (auto* norm = dynamic_cast<BatchNorm*>(module.get())) norm->observe_only(is_observing);
}

torch::Tensor Model::as_image(const torch::Tensor& records, const torch::Tensor& like) const {
    return records.unsqueeze(2).to(like.device(), like.scalar_type(), /*non_blocking=*/true, /*copy=*/false, layout_);
}

void initialise(torch::nn::Module& module, std::int64_t seed) {
    const torch::NoGradGuard no_grad;
    auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(seed));
    for (auto& item : module.named_parameters()) {
        auto& parameter = item.value();
        if (parameter.dim() == 1) {
            parameter.fill_(item.key().ends_with("weight") ? 1.0 : 0.0);
            continue;
        }
        const double field = static_cast<double>(parameter.numel() / (parameter.size(0) * parameter.size(1)));
        const double fans = field * static_cast<double>(parameter.size(0) + parameter.size(1));
        const double limit = std::sqrt(6.0 / fans);  // Glorot and Bengio 2010
        parameter.copy_(torch::empty(parameter.sizes(), torch::kFloat32).uniform_(-limit, limit, generator));
    }
}

}  // namespace leadsweep

#include "worker/train/optimizer.hpp"

namespace leadsweep {

FlatParameters::FlatParameters(torch::nn::Module& module, std::int64_t extra) {
    const torch::NoGradGuard no_grad;
    const auto parameters = module.parameters();
    std::vector<torch::Tensor> pieces;
    for (const auto& parameter : parameters) pieces.push_back(parameter.detach().reshape({-1}));
    values_ = torch::cat(pieces);
    reduced_ = torch::zeros({values_.numel() + extra}, values_.options());
    gradients_ = reduced_.narrow(0, 0, values_.numel());
    extra_ = reduced_.narrow(0, values_.numel(), extra);
    std::int64_t offset = 0;
    for (auto parameter : parameters) {
        const auto shape = parameter.sizes().vec();
        const auto count = parameter.numel();
        parameter.set_data(values_.narrow(0, offset, count).view(shape));
        parameter.mutable_grad() = gradients_.narrow(0, offset, count).view(shape);
        offset += count;
    }
    pieces.clear();
    for (const auto& buffer : module.buffers()) pieces.push_back(buffer.reshape({-1}));
    buffers_ = pieces.empty() ? torch::empty({0}, values_.options()) : torch::cat(pieces);
    offset = 0;
    for (auto buffer : module.buffers()) {
        const auto shape = buffer.sizes().vec();
        const auto count = buffer.numel();
        buffer.set_data(buffers_.narrow(0, offset, count).view(shape));
        offset += count;
    }
}

Adam::Adam(FlatParameters& parameters)
    : parameters_(parameters),
      first_(torch::zeros_like(parameters.values())),
      second_(torch::zeros_like(parameters.values())),
      steps_(torch::zeros({}, parameters.values().options().dtype(torch::kFloat32))) {}

void Adam::step(double learning_rate) {
    const torch::NoGradGuard no_grad;
    steps_.add_(1);
    at::_fused_adam_({parameters_.values()}, {parameters_.gradients()}, {first_}, {second_}, {}, {steps_},
                     learning_rate, kBeta1, kBeta2, /*weight_decay=*/0, kEpsilon, /*amsgrad=*/false,
                     /*maximize=*/false);
}

std::vector<std::pair<std::string, torch::Tensor>> Adam::state() {
    return {{"adam.first_moment", first_}, {"adam.second_moment", second_}, {"adam.steps", steps_}};
}

}  // namespace leadsweep

#include "worker/train/optimizer.hpp"

#include <cmath>
#include <numbers>

namespace leadsweep {

namespace {

/// Elements between the beginnings of two pieces of a flat buffer are a multiple of this: vector units and convolutions
/// on GPUs want their operands aligned.
constexpr std::int64_t kAlignment = 16;

std::int64_t room_of(const torch::Tensor& piece) {
    return (piece.numel() + kAlignment - 1) / kAlignment * kAlignment;
}

/// One tensor with room for all pieces, each copied to its place; the rest is zero.
torch::Tensor flatten(const std::vector<torch::Tensor>& pieces, torch::TensorOptions options) {
    std::int64_t room = 0;
    for (const auto& piece : pieces) room += room_of(piece);
    auto flat = torch::zeros({room}, options);
    std::int64_t offset = 0;
    for (const auto& piece : pieces) {
        flat.narrow(0, offset, piece.numel()).copy_(piece.detach().reshape({-1}));
        offset += room_of(piece);
    }
    return flat;
}

}  // namespace

FlatParameters::FlatParameters(torch::nn::Module& module, std::int64_t extra) {
    const torch::NoGradGuard no_grad;
    const auto parameters = module.parameters();
    const auto options = parameters.front().options().requires_grad(false);
    values_ = flatten(parameters, options);
    reduced_ = torch::zeros({values_.numel() + extra}, options);
    gradients_ = reduced_.narrow(0, 0, values_.numel());
    extra_ = reduced_.narrow(0, values_.numel(), extra);
    std::int64_t offset = 0;
    for (auto parameter : parameters) {
        const auto shape = parameter.sizes().vec();
        parameter.set_data(values_.narrow(0, offset, parameter.numel()).view(shape));
        parameter.mutable_grad() = gradients_.narrow(0, offset, parameter.numel()).view(shape);
        offset += room_of(parameter);
    }
    buffers_ = flatten(module.buffers(), options);
    offset = 0;
    for (auto buffer : module.buffers()) {
        buffer.set_data(buffers_.narrow(0, offset, buffer.numel()).view(buffer.sizes().vec()));
        offset += room_of(buffer);
    }
}

void clip_gradients(torch::Tensor& gradients, double clip_norm) {
    const auto norm = gradients.norm();
    const auto scale = (clip_norm / (norm + 1e-6)).clamp_max(1.0);
    gradients.mul_(torch::where(torch::isfinite(norm), scale, torch::ones_like(scale)));
}

Optimizer::Optimizer(FlatParameters& parameters)
    : parameters_(parameters), rate_(torch::zeros({}, parameters.values().options().dtype(torch::kFloat32))) {}

void Optimizer::set_learning_rate(double learning_rate) {
    const torch::NoGradGuard no_grad;
    learning_rate_ = learning_rate;
    rate_.fill_(learning_rate);
}

Adam::Adam(FlatParameters& parameters, double weight_decay)
    : Optimizer(parameters),
      weight_decay_(weight_decay),
      first_(torch::zeros_like(parameters.values())),
      second_(torch::zeros_like(parameters.values())),
      steps_(torch::zeros({}, parameters.values().options().dtype(torch::kFloat32))) {}

void Adam::step(const torch::Tensor& found_inf) {
    const torch::NoGradGuard no_grad;
    steps_.add_(1);
    const auto fused = [&](const auto& rate, const std::optional<torch::Tensor>& inf) {
        const auto w = parameters_.values(), g = parameters_.gradients();
        if (weight_decay_ > 0)
            at::_fused_adamw_({w}, {g}, {first_}, {second_}, {}, {steps_}, rate, kBeta1, kBeta2, weight_decay_,
                              kEpsilon, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, inf);
        else
            at::_fused_adam_({w}, {g}, {first_}, {second_}, {}, {steps_}, rate, kBeta1, kBeta2, /*weight_decay=*/0,
                             kEpsilon, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, inf);
    };
    if (parameters_.values().is_cuda())
        fused(rate_, found_inf);
    else
        fused(learning_rate_, std::nullopt);
}

std::vector<std::pair<std::string, torch::Tensor>> Adam::state() {
    return {{"adam.first_moment", first_}, {"adam.second_moment", second_}, {"adam.steps", steps_}};
}

Sgd::Sgd(FlatParameters& parameters, double momentum, double weight_decay)
    : Optimizer(parameters),
      momentum_(momentum),
      weight_decay_(weight_decay),
      velocity_(torch::zeros_like(parameters.values())) {}

void Sgd::step(const torch::Tensor& found_inf) {
    const torch::NoGradGuard no_grad;
    auto change = parameters_.gradients();
    if (weight_decay_ > 0) change = change.add(parameters_.values(), weight_decay_);
    velocity_.mul_(momentum_).add_(change);
    if (parameters_.values().is_cuda())
        parameters_.values().sub_(torch::where(found_inf == 0, velocity_ * rate_, torch::zeros_like(velocity_)));
    else
        parameters_.values().add_(velocity_, -learning_rate_);
}

double constant_rate(const ScheduleState& state) {
    return state.current_rate;
}

double plateau_rate(const ScheduleState& state) {
    return state.is_gain ? state.current_rate : 0.1 * state.current_rate;
}

double cosine_rate(const ScheduleState& state) {
    const double way = static_cast<double>(state.epochs_done) / static_cast<double>(state.epochs);
    return 0.5 * state.first_rate * (1 + std::cos(std::numbers::pi * way));
}

}  // namespace leadsweep

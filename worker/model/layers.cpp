#include "worker/model/layers.hpp"

#include <ATen/autocast_mode.h>

#include "worker/model/conv_gradient.hpp"
#include "worker/model/max_pool.hpp"

namespace leadsweep {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

torch::Tensor per_channel(const torch::Tensor& values) {
    return values.view({1, -1, 1, 1});
}
torch::Tensor sum_over_channel(const torch::Tensor& values) {
    return values.sum({0, 2, 3});
}

struct Moments {
    torch::Tensor mean;  ///< [C]
    torch::Tensor variance;
    torch::Tensor count;  ///< float64 scalar
};

/// This rank's mean, variance and count as one row [2C + 1], float64; zeros where it has no record.
torch::Tensor local_moments(const torch::Tensor& input) {
    const std::int64_t channels = input.size(1);
    const auto options = input.options().dtype(torch::kFloat64);
    if (input.numel() == 0) return torch::zeros({2 * channels + 1}, options);
    const auto count = static_cast<double>(input.numel() / channels);
    const auto [variance, mean] = torch::var_mean(input, {0, 2, 3}, /*unbiased=*/false);
    return torch::cat({mean.to(torch::kFloat64), variance.to(torch::kFloat64), torch::full({1}, count, options)});
}

/// Mean and variance of the global batch from every rank's own (Chan, Golub and LeVeque 1979), in float64 and rank
/// order. Nothing is read back from the device.
Moments global_moments(const torch::Tensor& input, Communicator& communicator) {
    const std::int64_t channels = input.size(1);
    const auto all = communicator.all_gather(local_moments(input));  // [k, 2C + 1]
    const auto counts = all.narrow(1, 2 * channels, 1);              // [k, 1]
    const auto means = all.narrow(1, 0, channels);
    const auto variances = all.narrow(1, channels, channels);
    const auto count = counts.sum();
    const auto global_mean = (means * counts).sum(0) / count;
    const auto global_variance = ((variances + (means - global_mean).square()) * counts).sum(0) / count;
    return {global_mean.to(input.scalar_type()), global_variance.to(input.scalar_type()), count};
}

/// Ioffe and Szegedy 2015, with the batch's sums taken over all ranks. Gradients of weight and bias are this rank's
/// share: they are summed over ranks with all other gradients.
class SynchronisedNorm : public Function<SynchronisedNorm> {
public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input, const torch::Tensor& weight,
                                 const torch::Tensor& bias, const torch::Tensor& mean, const torch::Tensor& variance,
                                 const torch::Tensor& count, Communicator* communicator) {
        const auto inverse_sd = (variance + BatchNorm::kEpsilon).rsqrt();
        context->save_for_backward({input, weight, mean, inverse_sd, count});
        context->saved_data["communicator"] = reinterpret_cast<std::int64_t>(communicator);
        const auto scale = weight * inverse_sd;
        return input * per_channel(scale) + per_channel(bias - mean * scale);
    }

    static variable_list backward(AutogradContext* context, variable_list output_gradients) {
        const auto saved = context->get_saved_variables();
        const auto &input = saved[0], &weight = saved[1], &mean = saved[2], &inverse_sd = saved[3], &count = saved[4];
        auto* communicator = reinterpret_cast<Communicator*>(context->saved_data["communicator"].toInt());
        const auto& gradient = output_gradients[0];
        const auto normalised = (input - per_channel(mean)) * per_channel(inverse_sd);
        const auto bias_gradient = sum_over_channel(gradient);
        const auto weight_gradient = sum_over_channel(gradient * normalised);
        auto sums = torch::stack({bias_gradient, weight_gradient});
        communicator->all_reduce_sum_(sums);
        const auto input_gradient = per_channel(weight * inverse_sd) * (gradient - per_channel(sums[0] / count) -
                                                                        normalised * per_channel(sums[1] / count));
        return {input_gradient, weight_gradient, bias_gradient, {}, {}, {}, {}};
    }
};

}  // namespace

BatchNorm::BatchNorm(std::int64_t channels, double momentum) : momentum_(momentum) {
    weight = register_parameter("weight", torch::ones({channels}));
    bias = register_parameter("bias", torch::zeros({channels}));
    running_mean = register_buffer("running_mean", torch::zeros({channels}));
    running_var = register_buffer("running_var", torch::ones({channels}));
}

torch::Tensor BatchNorm::forward(const torch::Tensor& raw) {
    // Statistics are those of float32 also where convolutions put out bfloat16.
    const auto input = raw.to(weight.scalar_type());
    const double momentum = is_observing_ ? 0 : momentum_;
    const bool is_shared = communicator_ != nullptr && communicator_->size() > 1;
    if (!is_training() || !is_shared)
        return torch::batch_norm(input, weight, bias, running_mean, running_var, is_training(), momentum, kEpsilon,
                                 /*cudnn_enabled=*/true);
    Moments moments;
    {
        const torch::NoGradGuard no_grad;
        moments = global_moments(input, *communicator_);
        running_mean.lerp_(moments.mean, momentum);
        running_var.lerp_(moments.variance * (moments.count / (moments.count - 1)), momentum);
    }
    return SynchronisedNorm::apply(input, weight, bias, moments.mean, moments.variance, moments.count, communicator_);
}

SameConv::SameConv(std::int64_t in, std::int64_t out, std::int64_t kernel, bool has_bias) {
    weight = register_parameter("weight", torch::empty({out, in, 1, kernel}));
    if (has_bias) bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor SameConv::forward(const torch::Tensor& input) {
    return forward_padded(has_even_kernel() ? pad_right(input) : input);
}

torch::Tensor SameConv::forward_padded(const torch::Tensor& padded) {
    const std::int64_t left = (weight.size(3) - 1) / 2;
    const bool is_trained = torch::GradMode::is_enabled() && weight.requires_grad() && !bias.defined();
    if (is_trained && is_plain_on_cpu(padded) && weight.size(3) > 1) return conv_on_cpu(padded, weight, left);
    return torch::conv2d(padded, weight, bias, /*stride=*/at::IntArrayRef{1, 1}, /*padding=*/at::IntArrayRef{0, left});
}

bool is_plain_on_cpu(const torch::Tensor& input) {
    return input.is_cpu() && !at::autocast::is_autocast_enabled(at::kCPU);
}

torch::Tensor pad_right(const torch::Tensor& input) {
    return torch::constant_pad_nd(input, {0, 1});
}

torch::Tensor max_pool_3(const torch::Tensor& input) {
    const bool is_known = input.scalar_type() == torch::kFloat32 || input.scalar_type() == torch::kFloat64;
    const bool is_channels_last = input.is_contiguous(torch::MemoryFormat::ChannelsLast);
    if (input.is_cpu() && is_known && is_channels_last) return max_pool_3_on_cpu(input);
    return torch::max_pool2d(input, /*kernel_size=*/{1, 3}, /*stride=*/{1, 1}, /*padding=*/{0, 1});
}

void fold_norm(const SameConv& conv, const BatchNorm& norm, std::int64_t first_channel, SameConv& folded) {
    const torch::NoGradGuard no_grad;
    const std::int64_t out = conv.weight.size(0);
    const auto scale = norm.weight * (norm.running_var + BatchNorm::kEpsilon).rsqrt();
    const auto shift = norm.bias - norm.running_mean * scale;
    folded.weight.copy_(conv.weight * scale.narrow(0, first_channel, out).view({-1, 1, 1, 1}));
    folded.bias.copy_(shift.narrow(0, first_channel, out));
}

}  // namespace leadsweep

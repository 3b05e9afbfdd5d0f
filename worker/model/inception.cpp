#include "worker/model/inception.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "worker/model/fourier_conv.hpp"

namespace leadsweep {
namespace {

/// Mean over time of [B, C, 1, T].
torch::Tensor average_over_time(const torch::Tensor& features) {
    return features.mean({2, 3});
}

std::shared_ptr<Model> finish_fold(std::shared_ptr<Model> folded, const torch::Tensor& like) {
    for (auto& parameter : folded->parameters()) parameter.set_requires_grad(false);
    folded->to(like.device(), like.scalar_type());
    folded->eval();
    return folded;
}

void copy_head(const torch::nn::Linear& from, torch::nn::Linear& to) {
    const torch::NoGradGuard no_grad;
    to->weight.copy_(from->weight);
    to->bias.copy_(from->bias);
}

}  // namespace

std::int64_t kernel_samples(double kernel, const ModelSpec& spec, double sampling_hz) {
    if (spec.kernel_unit == "seconds") return std::max<std::int64_t>(1, std::llround(kernel * sampling_hz));
    if (kernel != std::floor(kernel) || kernel < 1)
        throw JobError(FailureClass::kInvalid,
                       fmt::format("model.kernels: {} is no whole number of samples; give whole numbers, or "
                                   "model.kernel_unit: seconds",
                                   kernel));
    return static_cast<std::int64_t>(kernel);
}

InceptionModule::InceptionModule(std::int64_t in, const ModelSpec& spec, const std::vector<std::int64_t>& kernels,
                                 NormState state, double bn_momentum) {
    const bool is_folded = state == NormState::kFolded;
    std::int64_t squeezed = in;
    if (in > 1) {
        squeezed = spec.bottleneck;
        bottleneck_ = register_module("bottleneck", std::make_shared<SameConv>(in, squeezed, 1, false));
    }
    auto list = register_module("convs", std::make_shared<torch::nn::Module>());
    for (const std::int64_t kernel : kernels) {
        const std::string name = std::to_string(convs_.size());
        convs_.push_back(
            list->register_module(name, std::make_shared<SameConv>(squeezed, spec.filters, kernel, is_folded)));
    }
    pool_conv_ = register_module("pool_conv", std::make_shared<SameConv>(in, spec.filters, 1, is_folded));
    const auto out = spec.filters * static_cast<std::int64_t>(kernels.size() + 1);
    if (!is_folded) norm_ = register_module("norm", std::make_shared<BatchNorm>(out, bn_momentum));
}

torch::Tensor InceptionModule::forward(const torch::Tensor& input) {
    const auto squeezed = bottleneck_ ? bottleneck_->forward(input) : input;
    const bool is_fourier = is_plain_on_cpu(squeezed) && is_fourier_faster(squeezed, weights());
    if (is_fourier && !norm_) return infer(input, squeezed);
    auto branches = is_fourier ? std::vector{fourier_convs(squeezed, weights())} : convolve(squeezed);
    branches.push_back(pool_conv_->forward(max_pool_3(input)));
    const auto joined = torch::cat(branches, 1);
    return norm_ ? torch::relu(norm_->forward(joined)) : joined.relu_();
}

std::vector<torch::Tensor> InceptionModule::weights() const {
    std::vector<torch::Tensor> weights;
    for (const auto& conv : convs_) weights.push_back(conv->weight);
    return weights;
}

torch::Tensor InceptionModule::infer(const torch::Tensor& input, const torch::Tensor& squeezed) {
    const std::int64_t samples = input.size(3);
    if (!kernels_ || kernels_->samples() != samples || kernels_->type() != input.scalar_type()) {
        std::vector<torch::Tensor> biases;
        for (const auto& conv : convs_) biases.push_back(conv->bias);
        kernels_.emplace(weights(), biases, samples);
    }
    const auto pooled = pool_conv_->forward(max_pool_3(input));
    auto joined = torch::empty({input.size(0), kernels_->out() + pooled.size(1), 1, samples},
                               input.options().memory_format(torch::MemoryFormat::ChannelsLast));
    kernels_->convolve_relu_into(squeezed, joined.narrow(1, 0, kernels_->out()));
    auto last = joined.narrow(1, kernels_->out(), pooled.size(1));
    at::clamp_min_out(last, pooled, 0);
    return joined;
}

std::vector<torch::Tensor> InceptionModule::convolve(const torch::Tensor& input) const {
    const bool has_even = std::any_of(convs_.begin(), convs_.end(), [](auto& conv) { return conv->has_even_kernel(); });
    const auto padded = has_even ? pad_right(input) : input;
    std::vector<torch::Tensor> outputs;
    for (const auto& conv : convs_) outputs.push_back(conv->forward_padded(conv->has_even_kernel() ? padded : input));
    return outputs;
}

void InceptionModule::fold_into(InceptionModule& folded) const {
    const torch::NoGradGuard no_grad;
    if (bottleneck_) folded.bottleneck_->weight.copy_(bottleneck_->weight);
    std::int64_t channel = 0;
    for (std::size_t i = 0; i < convs_.size(); ++i) {
        fold_norm(*convs_[i], *norm_, channel, *folded.convs_[i]);
        channel += convs_[i]->weight.size(0);
    }
    fold_norm(*pool_conv_, *norm_, channel, *folded.pool_conv_);
}

Shortcut::Shortcut(std::int64_t in, std::int64_t out, NormState state, double bn_momentum) {
    const bool is_folded = state == NormState::kFolded;
    conv_ = register_module("conv", std::make_shared<SameConv>(in, out, 1, is_folded));
    if (!is_folded) norm_ = register_module("norm", std::make_shared<BatchNorm>(out, bn_momentum));
}

torch::Tensor Shortcut::forward(const torch::Tensor& source) {
    const auto mixed = conv_->forward(source);
    return norm_ ? norm_->forward(mixed) : mixed;
}

void Shortcut::fold_into(Shortcut& folded) const {
    fold_norm(*conv_, *norm_, 0, *folded.conv_);
}

Inception::Inception(const ModelShape& shape, const ModelSpec& spec, double bn_momentum, NormState state)
    : shape_(shape), spec_(spec), bn_momentum_(bn_momentum) {
    std::vector<std::int64_t> kernels;
    for (const double kernel : spec.kernels) kernels.push_back(kernel_samples(kernel, spec, shape.sampling_hz));
    const auto width = spec.filters * static_cast<std::int64_t>(kernels.size() + 1);
    auto blocks = register_module("blocks", std::make_shared<torch::nn::Module>());
    auto shortcuts = register_module("shortcuts", std::make_shared<torch::nn::Module>());
    std::int64_t source_channels = shape.leads;
    for (std::int64_t depth = 0; depth < spec.depth; ++depth) {
        const std::int64_t in = depth == 0 ? shape.leads : width;
        blocks_.push_back(blocks->register_module(
            std::to_string(depth), std::make_shared<InceptionModule>(in, spec, kernels, state, bn_momentum)));
        if (depth % spec.residual_period == spec.residual_period - 1) {
            const std::string name = std::to_string(shortcuts_.size());
            shortcuts_.push_back(shortcuts->register_module(
                name, std::make_shared<Shortcut>(source_channels, width, state, bn_momentum)));
            source_channels = width;
        }
    }
    head_ = register_module("head", torch::nn::Linear(width, shape.classes));
}

torch::Tensor Inception::forward(const torch::Tensor& records) {
    auto features = as_image(records, head_->weight);
    auto source = features;
    std::size_t next_shortcut = 0;
    for (std::size_t depth = 0; depth < blocks_.size(); ++depth) {
        features = blocks_[depth]->forward(features);
        const auto period = static_cast<std::size_t>(spec_.residual_period);
        if (depth % period == period - 1) {
            features = torch::relu(features + shortcuts_[next_shortcut++]->forward(source));
            source = features;
        }
    }
    return head_->forward(average_over_time(features));
}

std::shared_ptr<Model> Inception::fold() const {
    auto folded = std::make_shared<Inception>(shape_, spec_, bn_momentum_, NormState::kFolded);
    folded->to(head_->weight.device(), head_->weight.scalar_type());
    for (std::size_t i = 0; i < blocks_.size(); ++i) blocks_[i]->fold_into(*folded->blocks_[i]);
    for (std::size_t i = 0; i < shortcuts_.size(); ++i) shortcuts_[i]->fold_into(*folded->shortcuts_[i]);
    copy_head(head_, folded->head_);
    return finish_fold(folded, head_->weight);
}

Fcn::Fcn(const ModelShape& shape, double bn_momentum, NormState state) : shape_(shape), bn_momentum_(bn_momentum) {
    struct Layer {
        std::int64_t filters;
        std::int64_t kernel;
    };
    const bool is_folded = state == NormState::kFolded;
    auto convs = register_module("convs", std::make_shared<torch::nn::Module>());
    auto norms = register_module("norms", std::make_shared<torch::nn::Module>());
    std::int64_t in = shape.leads;
    for (const Layer layer : {Layer{128, 8}, Layer{256, 5}, Layer{128, 3}}) {
        const std::string name = std::to_string(convs_.size());
        convs_.push_back(
            convs->register_module(name, std::make_shared<SameConv>(in, layer.filters, layer.kernel, is_folded)));
        if (!is_folded)
            norms_.push_back(norms->register_module(name, std::make_shared<BatchNorm>(layer.filters, bn_momentum)));
        in = layer.filters;
    }
    head_ = register_module("head", torch::nn::Linear(in, shape.classes));
}

torch::Tensor Fcn::forward(const torch::Tensor& records) {
    auto features = as_image(records, head_->weight);
    for (std::size_t i = 0; i < convs_.size(); ++i) {
        features = convs_[i]->forward(features);
        features = norms_.empty() ? features.relu_() : torch::relu(norms_[i]->forward(features));
    }
    return head_->forward(average_over_time(features));
}

std::shared_ptr<Model> Fcn::fold() const {
    auto folded = std::make_shared<Fcn>(shape_, bn_momentum_, NormState::kFolded);
    folded->to(head_->weight.device(), head_->weight.scalar_type());
    for (std::size_t i = 0; i < convs_.size(); ++i) fold_norm(*convs_[i], *norms_[i], 0, *folded->convs_[i]);
    copy_head(head_, folded->head_);
    return finish_fold(folded, head_->weight);
}

}  // namespace leadsweep

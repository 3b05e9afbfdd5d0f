// The Inception network of the study (Ismail Fawaz et al. 2020, as in the authors' Keras code), and the FCN baseline.
// Parameter names are those of shared/model/torch_model.py, a plain PyTorch module that loads the same files.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "shared/job/job_spec.hpp"
#include "worker/model/fourier_conv.hpp"
#include "worker/model/layers.hpp"
#include "worker/model/model.hpp"

namespace leadsweep {

/// Whether a network normalises (to be trained) or has that folded into its convolutions (inference only).
enum class NormState { kPresent, kFolded };

/// Kernel length in samples: as given, or seconds * sampling_hz rounded, at least 1.
/// Throws JobError(kInvalid) where a length in samples is no whole number.
std::int64_t kernel_samples(double kernel, const ModelSpec& spec, double sampling_hz);

/// Bottleneck, parallel convolutions of several lengths beside a max-pool branch, concatenation, BatchNorm, ReLU.
class InceptionModule : public torch::nn::Module {
public:
    InceptionModule(std::int64_t in, const ModelSpec& spec, const std::vector<std::int64_t>& kernels, NormState state,
                    double bn_momentum);
    torch::Tensor forward(const torch::Tensor& input);  ///< [B, in, 1, T] -> [B, filters * (kernels + 1), 1, T]
    void fold_into(InceptionModule& folded) const;

private:
    /// The outputs of all convolutions, in their order: [B, filters, 1, T] each.
    std::vector<torch::Tensor> convolve(const torch::Tensor& input) const;
    /// forward() of a folded module with long kernels on a CPU, in few passes over memory. Not differentiable.
    torch::Tensor infer(const torch::Tensor& input, const torch::Tensor& squeezed);
    std::vector<torch::Tensor> weights() const;

    std::shared_ptr<SameConv> bottleneck_;  ///< none where the input has one channel
    std::vector<std::shared_ptr<SameConv>> convs_;
    std::shared_ptr<SameConv> pool_conv_;
    std::shared_ptr<BatchNorm> norm_;  ///< none where folded
    std::optional<FourierKernels> kernels_;  ///< of infer(), for the latest length of its inputs
};

/// 1x1 convolution and BatchNorm of the residual source.
class Shortcut : public torch::nn::Module {
public:
    Shortcut(std::int64_t in, std::int64_t out, NormState state, double bn_momentum);
    torch::Tensor forward(const torch::Tensor& source);
    void fold_into(Shortcut& folded) const;

private:
    std::shared_ptr<SameConv> conv_;
    std::shared_ptr<BatchNorm> norm_;
};

class Inception final : public Model {
public:
    Inception(const ModelShape& shape, const ModelSpec& spec, double bn_momentum,
              NormState state = NormState::kPresent);
    torch::Tensor forward(const torch::Tensor& records) override;
    std::shared_ptr<Model> fold() const override;

private:
    ModelShape shape_;
    ModelSpec spec_;
    double bn_momentum_;
    std::vector<std::shared_ptr<InceptionModule>> blocks_;
    std::vector<std::shared_ptr<Shortcut>> shortcuts_;
    torch::nn::Linear head_{nullptr};
};

/// Wang, Yan and Oates 2017: three convolutions (128 of 8, 256 of 5, 128 of 3 samples) with BatchNorm and ReLU, global
/// average, dense. The convolutions' biases are left out: BatchNorm takes them away again.
class Fcn final : public Model {
public:
    Fcn(const ModelShape& shape, double bn_momentum, NormState state = NormState::kPresent);
    torch::Tensor forward(const torch::Tensor& records) override;
    std::shared_ptr<Model> fold() const override;

private:
    ModelShape shape_;
    double bn_momentum_;
    std::vector<std::shared_ptr<SameConv>> convs_;
    std::vector<std::shared_ptr<BatchNorm>> norms_;
    torch::nn::Linear head_{nullptr};
};

}  // namespace leadsweep

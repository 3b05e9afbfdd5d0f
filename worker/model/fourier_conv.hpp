// Long 1 x k convolutions by Fourier transforms, on CPUs: a third of the operations of the study's kernels. Same results
// as LibTorch's operator up to rounding (some 1e-6 of the norm in float32).
#pragma once

#include <cstdint>
#include <span>

#include <torch/torch.h>

namespace leadsweep {

/// Whether fourier_convs needs clearly fewer operations than convolving directly: input [B, in, 1, T], weights
/// [out_i, in, 1, k_i].
bool is_fourier_faster(const torch::Tensor& input, std::span<const torch::Tensor> weights);

/// conv2d(input, weight_i) for each weight, their outputs beside each other: [B, sum of out_i, 1, T] in channels_last.
/// Stride 1, and as many zeros around as keep the length, the larger half on the right. Differentiable once.
/// Input [B, in, 1, T], weights [out_i, in, 1, k_i], all of one type, float32 or float64.
torch::Tensor fourier_convs(const torch::Tensor& input, std::span<const torch::Tensor> weights);

/// The kernels of fourier_convs, transformed once: for inference, where they stay as they are. Not differentiable.
class FourierKernels {
public:
    /// Weights as above, a bias [out_i] for each, for inputs of `samples`.
    FourierKernels(std::span<const torch::Tensor> weights, std::span<const torch::Tensor> biases, std::int64_t samples);

    std::int64_t samples() const { return samples_; }
    torch::ScalarType type() const { return mixing_.scalar_type(); }
    std::int64_t out() const { return bias_.size(0); }

    /// relu(conv2d(input, weight_i) + bias_i) for each weight, beside each other, into `output` [B, out(), 1, T]: part of
    /// a tensor in channels_last.
    void convolve_relu_into(const torch::Tensor& input, const torch::Tensor& output) const;

private:
    std::int64_t samples_;
    std::int64_t window_;
    torch::Tensor mixing_;
    torch::Tensor bias_;  ///< [out]
};

}  // namespace leadsweep

// Faster ways on CPUs to what LibTorch's operators compute, used by layers.cpp alone: same results up to rounding,
// tested against those operators. All tensors are images [B, C, 1, T]; channels_last makes them rows of C values in
// memory.
#pragma once

#include <torch/torch.h>

namespace leadsweep {

/// conv2d(input, weight, padding) for 1 x k kernels, differentiable. `padding` samples of zeros lie on the left, what
/// keeps the length of `input` + 2 * padding - k + 1 on the right. LibTorch's gradient of the weights is its slowest
/// part (half the speed of a matrix product); here it is k matrix products on views of the input.
torch::Tensor conv_on_cpu(const torch::Tensor& input, const torch::Tensor& weight, std::int64_t padding);

/// Whether the two functions below take this image: float32 on the CPU, channels_last.
bool suits_cpu_loops(const torch::Tensor& image);

/// Largest of each sample and its neighbours, differentiable. LibTorch's pooling writes and reads back 8-byte indices.
torch::Tensor max_pool_3_on_cpu(const torch::Tensor& input);

/// relu(batch_norm(input)) with the statistics of `input`, differentiable, in half the passes over memory. Also gives
/// the batch's mean and (biased) variance, [C], not differentiable.
struct NormalisedRelu {
    torch::Tensor output, mean, variance;
};
NormalisedRelu norm_relu_on_cpu(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& bias,
                                double epsilon);

}  // namespace leadsweep

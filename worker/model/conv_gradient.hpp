// A faster gradient for the 1 x k convolutions of SameConv on CPUs. Same results as LibTorch's operator up to rounding.
#pragma once

#include <torch/torch.h>

namespace leadsweep {

/// conv2d(input, weight) with `padding` zeros on both sides in time, differentiable: input [B, in, 1, T], weight
/// [out, in, 1, k]. LibTorch's gradient of the weights runs at half the speed of a matrix product; here it is k matrix
/// products on views of the input.
torch::Tensor conv_on_cpu(const torch::Tensor& input, const torch::Tensor& weight, std::int64_t padding);

}  // namespace leadsweep

// The pooling branch of an Inception module on CPUs. LibTorch's operator stores an index a sample and takes a quarter
// of the time of inference; here nothing but the result is written, and the backward pass compares again.
#pragma once

#include <torch/torch.h>

namespace leadsweep {

/// Largest of each sample and its two neighbours, differentiable, of an image [B, C, 1, T] of float32 or float64 on the
/// CPU, channels_last. Values, gradients and ties (the earliest of equal samples gets the gradient) as in PyTorch's
/// MaxPool1d(3, 1, 1).
torch::Tensor max_pool_3_on_cpu(const torch::Tensor& input);

}  // namespace leadsweep

// Losses on logits, and the share of the global loss that one of several workers differentiates. No class weights, no
// thresholds.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <torch/torch.h>

#include "worker/comm/communicator.hpp"

namespace leadsweep {

/// This rank's share of the loss of the global batch, differentiable: `logits` [b, K] and `targets` [b, K] (0 or 1) are
/// this rank's records, `global_batch` = B is the number of records over all ranks. The shares of all ranks add up to
/// the global loss, and their gradients, summed over ranks, are its gradient. Batch-coupled losses are collectives.
/// Computed in float32, or in float64 if the logits are.
using Loss = std::function<torch::Tensor(const torch::Tensor& logits, const torch::Tensor& targets,
                                         std::int64_t global_batch, Communicator& communicator)>;

/// Mean over records and classes of the binary cross-entropy (Keras' BinaryCrossentropy, without its clipping at 1e-7).
torch::Tensor bce_share(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t global_batch,
                        Communicator& communicator);
/// The same with each class's positives weighted: `positive_weights` [K] (PyTorch's pos_weight).
Loss bce_share_weighted(const std::vector<double>& positive_weights);
/// Mean of (1 - p_t)^2 * cross-entropy (Lin et al. 2017; Keras' BinaryFocalCrossentropy: gamma 2, no alpha).
torch::Tensor focal_share(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t global_batch,
                          Communicator& communicator);
/// Mean over classes of 1 - F1, F1 = 2 tp / (2 tp + fn + fp + 1e-16) of the probabilities' sums over the global batch.
torch::Tensor soft_f1_share(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t global_batch,
                            Communicator& communicator);
/// Mean over classes of ((1 - F1 of the positives) + (1 - F1 of the negatives)) / 2 (macro double soft F1).
torch::Tensor double_soft_f1_share(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t global_batch,
                                   Communicator& communicator);

/// The sum of a tensor over ranks whose gradient is passed on as it is. Every rank computes the same function of the
/// sum and gradients are summed over ranks afterwards: an all-reduce of the gradient here would multiply it by their
/// number.
torch::Tensor sum_over_ranks(const torch::Tensor& local, Communicator& communicator);

}  // namespace leadsweep

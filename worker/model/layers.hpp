// Layers of which the networks are made, on images [B, C, 1, T] in channels_last: convolution along time that keeps the
// length, pooling, and BatchNorm with the statistics of the global batch. They know nothing of records or classes.
#pragma once

#include <torch/torch.h>

#include "worker/comm/communicator.hpp"

namespace leadsweep {

/// Parameters and buffers are named as in PyTorch's BatchNorm2d (weight, bias, running_mean, running_var). In training
/// mode the statistics are those of the batch over all ranks of the communicator, so that k workers with a k-th of the
/// batch each compute what one worker computes with all of it; forward and backward are then collectives.
/// `epsilon` is Keras' default, 1e-3. The running variance is the unbiased one, as in PyTorch.
class BatchNorm : public torch::nn::Module {
public:
    BatchNorm(std::int64_t channels, double momentum);
    torch::Tensor forward(const torch::Tensor& input);  ///< [B, C, 1, T]

    /// nullptr: statistics of this worker's records alone. The communicator must outlive its use here.
    void synchronise(Communicator* communicator) { communicator_ = communicator; }
    /// While true, batches are normalised as ever, but leave the running statistics as they are.
    void observe_only(bool is_observing) { is_observing_ = is_observing; }

    torch::Tensor weight, bias;               ///< [C]
    torch::Tensor running_mean, running_var;  ///< [C]
    static constexpr double kEpsilon = 1e-3;

private:
    double momentum_;
    bool is_observing_ = false;
    Communicator* communicator_ = nullptr;
};

/// A 1 x k convolution, stride 1, that keeps the length: total padding k - 1, the larger half on the right
/// (TensorFlow's and PyTorch's "same"). A bias is there only in folded networks, where it holds what BatchNorm added.
class SameConv : public torch::nn::Module {
public:
    SameConv(std::int64_t in, std::int64_t out, std::int64_t kernel, bool has_bias);
    torch::Tensor forward(const torch::Tensor& input);  ///< [B, in, 1, T]
    /// The same where an even kernel's one extra zero was appended before (pad_right), once for several convolutions.
    torch::Tensor forward_padded(const torch::Tensor& padded);  ///< [B, in, 1, T + 1]
    bool has_even_kernel() const { return weight.size(3) % 2 == 0; }

    torch::Tensor weight;  ///< [out, in, 1, k]
    torch::Tensor bias;    ///< [out]; undefined if there is none
};

/// Whether the input is computed with as it is: on a CPU, in its own type.
bool is_plain_on_cpu(const torch::Tensor& input);

/// One zero sample appended to each row.
torch::Tensor pad_right(const torch::Tensor& input);

/// Largest of each sample and its two neighbours; the ends have one neighbour.
torch::Tensor max_pool_3(const torch::Tensor& input);

/// Sets `folded` (with bias) so that folded(x) = norm(conv(x)) in inference, where the outputs of `conv` are the
/// channels of `norm` from `first_channel` on.
void fold_norm(const SameConv& conv, const BatchNorm& norm, std::int64_t first_channel, SameConv& folded);

}  // namespace leadsweep

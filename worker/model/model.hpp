// What every network of leadsweep is: prepared records in, one logit a class out. Which networks there are is told by
// the registry; how they are trained is not told here.
#pragma once

#include <cstdint>
#include <memory>

#include <torch/torch.h>

#include "worker/comm/communicator.hpp"

namespace leadsweep {

/// What a network must know of its data.
struct ModelShape {
    std::int64_t leads = 12;    ///< L
    std::int64_t classes = 30;  ///< K
    double sampling_hz = 500;   ///< turns kernels in seconds into samples
};

class Model : public torch::nn::Module {
public:
    /// Logits [B, K] of records [B, L, T]. In training mode on a shared job this is a collective.
    virtual torch::Tensor forward(const torch::Tensor& records) = 0;
    /// The same network for inference only, BatchNorm folded into its convolutions: equal up to rounding, faster. Holds
    /// copies of the weights: training on does not change it.
    virtual std::shared_ptr<Model> fold() const = 0;

    /// Statistics of BatchNorm over all ranks; nullptr: over this worker's records. Must outlive its use.
    void synchronise_batch_norm(Communicator* communicator);
    /// While true, training leaves BatchNorm's running statistics as they are.
    void observe_only(bool is_observing);
    /// The order in memory in which images go through the network: channels_last is the fastest on CPUs, contiguous may
    /// be on GPUs. Outputs are equal up to rounding.
    void set_layout(torch::MemoryFormat layout) { layout_ = layout; }
    torch::MemoryFormat layout() const { return layout_; }
    torch::Device device() const { return parameters().front().device(); }

protected:
    /// Signals [B, L, T] as the images [B, L, 1, T] that the networks' convolutions want (no channels_last exists for
    /// three dimensions), in the element type and on the device of `like`.
    torch::Tensor as_image(const torch::Tensor& records, const torch::Tensor& like) const;

private:
    torch::MemoryFormat layout_ = torch::MemoryFormat::ChannelsLast;
};

/// Keras' defaults from a generator of its own: Glorot-uniform weights of convolutions and dense layers, zero biases,
/// ones in BatchNorm. The same seed gives the same weights on every device.
void initialise(torch::nn::Module& module, std::int64_t seed);

}  // namespace leadsweep

// What first went wrong in a step whose loss or gradients are not finite.
#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "worker/comm/communicator.hpp"
#include "worker/model/model.hpp"
#include "worker/train/batches.hpp"

namespace leadsweep {

/// Collective: looks at the records of all ranks, then at their logits (of the parts of `batch`, in order), the loss,
/// and the gradients, and throws the same JobError on every rank: kInvalid where a record holds the first value that is
/// not finite, else kDiverged. `where` tells the step ("epoch 3, step 17").
[[noreturn]] void throw_first_not_finite(const Batch& batch, const std::vector<torch::Tensor>& logits, double loss,
                                         const Model& model, Communicator& communicator, const std::string& where);

}  // namespace leadsweep

// Inference over a list of records: logits in the order of the list. It neither scores nor stores them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include <torch/torch.h>

#include "worker/model/model.hpp"
#include "worker/model/record_source.hpp"

namespace leadsweep {

/// Records of one forward pass where the caller has no wish: past this nothing gets faster.
inline constexpr std::int64_t kInferenceBatch = 64;

/// Logits [n, K], float32 on the CPU, of the records `indices`, `batch` at a time. `model` is used in evaluation mode
/// (and left so). `on_progress(fraction)` is called after each batch; what it throws ends the prediction.
torch::Tensor predict(Model& model, const RecordSource& records, std::span<const std::int32_t> indices,
                      std::int64_t batch = kInferenceBatch, const std::function<void(double)>& on_progress = {});

/// Collective: the same, the list divided among the ranks; every rank gets all logits.
torch::Tensor predict_shared(Model& model, const RecordSource& records, std::span<const std::int32_t> indices,
                             Communicator& communicator, std::int64_t batch = kInferenceBatch,
                             const std::function<void(double)>& on_progress = {});

/// The records `indices` as one tensor [n, L, T] on the CPU, float32.
torch::Tensor gather_records(const RecordSource& records, std::span<const std::int32_t> indices);

}  // namespace leadsweep

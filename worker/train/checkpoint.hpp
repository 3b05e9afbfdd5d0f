// What training leaves in files: the checkpoint from which it goes on, and the model from which predictions come. Both
// are safetensors, written whole or not at all; model files load into a plain PyTorch module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "shared/job/job_result.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// How far training has come, besides its tensors.
struct TrainPosition {
    std::int64_t epoch = 1;         ///< the epoch under way
    std::int64_t batches_done = 0;  ///< of that epoch
    double loss_sum = 0;            ///< over the records of these batches
    double learning_rate = 0;
    std::int64_t best_epoch = 0;  ///< 0: none yet
    double best_figure = 0;       ///< of train.monitor
    std::int64_t epochs_without_gain = 0;
    std::string layout;         ///< what autotuning chose; "" on CPUs
    std::vector<Epoch> epochs;  ///< completed ones
};

std::string to_text(const TrainPosition& position);
TrainPosition train_position_from(const std::string& text);

/// Raised when what a checkpoint holds changes: older ones are passed over then, and training starts anew.
inline constexpr int kCheckpointVersion = 3;

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// Writes kCheckpointFile in `folder`, durably; the one before becomes kPreviousCheckpointFile. Returns the SHA-256 of
/// the file. Throws FileError.
std::string save_checkpoint(const std::string& folder, const std::string& train_key, const TrainPosition& position,
                     const NamedTensors& tensors);

/// Fills `tensors` in place from the newest whole checkpoint of `folder`, verified by its seal. A torn
/// file, or one of another version of this file format, is told and passed over. Nothing is changed and nothing
/// returned where there is no usable one. Throws InputError where the checkpoint is of another train_key or its arrays
/// do not fit.
std::optional<TrainPosition> load_checkpoint(const std::string& folder, const std::string& train_key,
                                             const NamedTensors& tensors);

/// What a model file says of itself.
struct ModelInfo {
    JobSpec spec;
    std::vector<std::string> class_codes;  ///< [K], in the order of the outputs
};

/// Writes weights and BatchNorm statistics of `module` under their names in a plain PyTorch module, with `info` as
/// metadata (spec, classes, sampling_hz, leads). Returns the SHA-256 of the file. Throws FileError.
std::string save_model(const torch::nn::Module& module, const ModelInfo& info, const std::string& path);
/// Throws FileError, or InputError where the file is torn or no model file.
ModelInfo read_model_info(const std::string& path);
/// Fills weights and statistics in place. Throws FileError, or InputError naming every array that is missing, unknown
/// or of another shape.
void load_weights(torch::nn::Module& module, const std::string& path);

}  // namespace leadsweep

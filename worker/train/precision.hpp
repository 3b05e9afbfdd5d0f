// What train.precision means for a process: TF32 and autocast, both behind scopes that end with the training.
#pragma once

#include <string>

#include <torch/torch.h>

namespace leadsweep {

/// While it lives, float32 convolutions and products of GPUs are computed as `precision` says: in TF32 for "tf32", in
/// full float32 for anything else. Throws JobError(kInvalid) for "tf32" on a CPU.
class PrecisionScope {
public:
    PrecisionScope(const std::string& precision, const torch::Device& device);
    ~PrecisionScope();
    PrecisionScope(const PrecisionScope&) = delete;
    PrecisionScope& operator=(const PrecisionScope&) = delete;

private:
    bool had_cudnn_;
    bool had_cublas_;
};

/// While it lives, and where `is_on`, operators on this kind of device that gain from it compute in bfloat16 (PyTorch's
/// autocast, without its cache of converted weights: each is used once a step, and a cache outlives a CUDA graph).
class AutocastScope {
public:
    AutocastScope(bool is_on, torch::DeviceType device);
    ~AutocastScope();
    AutocastScope(const AutocastScope&) = delete;
    AutocastScope& operator=(const AutocastScope&) = delete;

private:
    torch::DeviceType device_;
    bool was_on_;
    bool had_cache_;
    torch::ScalarType had_type_;
};

}  // namespace leadsweep

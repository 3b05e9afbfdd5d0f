#include "worker/train/precision.hpp"

#include <ATen/autocast_mode.h>

#include "shared/core/errors.hpp"

namespace leadsweep {

PrecisionScope::PrecisionScope(const std::string& precision, const torch::Device& device)
    : had_cudnn_(at::globalContext().allowTF32CuDNN()), had_cublas_(at::globalContext().allowTF32CuBLAS()) {
    const bool is_tf32 = precision == "tf32";
    if (is_tf32 && !device.is_cuda())
        throw JobError(FailureClass::kInvalid,
                       "train.precision is tf32, which only GPUs have: use fp32 on CPUs, or run on a GPU");
    at::globalContext().setAllowTF32CuDNN(is_tf32);
    at::globalContext().setAllowTF32CuBLAS(is_tf32);
}

PrecisionScope::~PrecisionScope() {
    at::globalContext().setAllowTF32CuDNN(had_cudnn_);
    at::globalContext().setAllowTF32CuBLAS(had_cublas_);
}

AutocastScope::AutocastScope(bool is_on, torch::DeviceType device)
    : device_(device),
      was_on_(at::autocast::is_autocast_enabled(device)),
      had_cache_(at::autocast::is_autocast_cache_enabled()),
      had_type_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_dtype(device, torch::kBFloat16);
    at::autocast::set_autocast_enabled(device, is_on);
    at::autocast::set_autocast_cache_enabled(false);
}

AutocastScope::~AutocastScope() {
    at::autocast::set_autocast_cache_enabled(had_cache_);
    at::autocast::set_autocast_enabled(device_, was_on_);
    at::autocast::set_autocast_dtype(device_, had_type_);
}

}  // namespace leadsweep

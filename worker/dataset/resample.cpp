#include "worker/dataset/resample.hpp"

#include <algorithm>
#include <stdexcept>

#include <torch/torch.h>

namespace leadsweep {

void resample_fourier(std::span<const double> input, std::int64_t leads, std::int64_t samples, std::int64_t target,
                      std::span<double> output) {
    if (leads < 1 || samples < 1 || target < 1 || static_cast<std::int64_t>(input.size()) != leads * samples ||
        static_cast<std::int64_t>(output.size()) != leads * target)
        throw std::invalid_argument("resample_fourier: sizes of input and output do not fit");
    if (samples == target) {
        std::copy(input.begin(), input.end(), output.begin());
        return;
    }
    const c10::InferenceMode no_gradients;
    // from_blob takes no const pointer; the tensor is only read.
    const auto rows = torch::from_blob(const_cast<double*>(input.data()), {leads, samples}, torch::kFloat64);
    // The factor target / samples that keeps amplitudes: the way back ("forward") divides by nothing, so 1 / samples is
    // left, and the few bins that are kept are the cheapest place for it.
    const auto spectrum = torch::fft::rfft(rows, samples, 1, "backward");
    const std::int64_t shared = std::min(samples, target);
    const auto kept = spectrum.narrow(1, 0, shared / 2 + 1);
    kept.mul_(1.0 / static_cast<double>(samples));
    if (shared % 2 == 0) kept.select(1, shared / 2).mul_(target < samples ? 2.0 : 0.5);
    auto resampled = torch::from_blob(output.data(), {leads, target}, torch::kFloat64);
    resampled.copy_(torch::fft::irfft(kept, target, 1, "forward"));
}

}  // namespace leadsweep

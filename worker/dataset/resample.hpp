// Fourier resampling of whole windows, as scipy.signal.resample computes it. The only door to LibTorch's FFT here;
// knows nothing of records.
#pragma once

#include <cstdint>
#include <span>

namespace leadsweep {

/// Resamples each row of input [L, N] to `target` samples: output [L, target]. The spectrum is cut or filled with
/// zeros; for an even min(N, target) the bin at the new Nyquist frequency is doubled when downsampling and halved when
/// upsampling (scipy.signal.resample for real input). Periodic: rows whose ends differ ring there. Rows of many records
/// may be given at once, which is faster. Runs on the calling thread and torch's own threads (at::set_num_threads).
/// Throws std::invalid_argument where the sizes do not fit.
void resample_fourier(std::span<const double> input, std::int64_t leads, std::int64_t samples, std::int64_t target,
                      std::span<double> output);

}  // namespace leadsweep

// One number per part of a computation. Whoever changes what a part computes, or a default of its keys, raises the
// number: jobs computed before then have another key and count as stale, never as the same experiment.
#pragma once

#include <vector>

namespace leadsweep::semantics {

inline constexpr int kPreparation = 1;  ///< decoding, window, resampling, normalising, synthetic records
inline constexpr int kModel = 1;        ///< architecture and initial weights
inline constexpr int kTraining = 1;     ///< loss, optimizer, sampler, early stopping
inline constexpr int kMetrics = 2;      ///< every figure computed from predictions
inline constexpr int kExplain = 2;      ///< lead importance

/// All of them, in this order: what Hello carries and a supervisor compares.
inline std::vector<int> all() {
    return {kPreparation, kModel, kTraining, kMetrics, kExplain};
}

}  // namespace leadsweep::semantics

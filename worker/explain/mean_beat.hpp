// The mean beat of each class, and what its explanations say at each moment of it.
#pragma once

#include <cstdint>

#include "shared/arrays/safetensors.hpp"
#include "worker/explain/explainer.hpp"
#include "worker/explain/importance.hpp"

namespace leadsweep {

/// Moments of a mean beat, M: from 300 ms before to 500 ms after the R peak.
inline constexpr double kMeanBeatBegin_s = -0.3;
inline constexpr double kMeanBeatStep_s = 0.01;
inline constexpr std::int64_t kMeanBeatMoments = 81;

/// Adds to the arrays of aggregate(), where explain.align divides beats (else nothing):
///   beat_signal [K, R, M] f32: mean beat of the explained records of each class, each record less its median
///   beat_importance [K, R, M] f32: mean coefficient of the part that lies at this moment
///   beat_records [K, M] i32: records that have a beat there; 0: NaN in the other two
/// and metadata beat_begin_s, beat_step_s, beat_unit ("uV", or "sd" of each lead after data.normalize: zscore).
/// A record counts once, with the mean over its beats; a beat ends where the span of the next begins (beats.hpp).
/// Explanations that aggregate() left out are left out here. A function of the arguments alone; called by one rank.
void add_mean_beats(const RecordSource& records, const ExplainPlan& plan, const std::vector<Explanation>& explanations,
                    const Explainer& explainer, const JobSpec& spec, ArrayFile& arrays);

}  // namespace leadsweep

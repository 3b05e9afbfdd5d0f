// The Challenge's own score: rewards for near misses, normalised between "always sinus rhythm" and "all right".
// Only for label sets that have the 26 scored groups.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "shared/ecg/classes.hpp"

namespace leadsweep {

/// Score of binary outputs, both [N, G] row-major over the groups of `set` in their order. A[j,k] gathers
/// 1 / max(|labels OR outputs|, 1) for each positive label j and output k of a record; the score is the sum of
/// weights x A, shifted and scaled so that "sinus rhythm alone for every record" gives 0 and the labels themselves give
/// 1; 0 where these two are equal (evaluate_model.py, compute_challenge_metric). Groups beyond the 26 are left out.
/// Nothing where the set lacks one of the 26 groups, or without records.
std::optional<double> challenge_score(const LabelSet& set, std::span<const std::uint8_t> labels,
                                      std::span<const std::uint8_t> outputs);

}  // namespace leadsweep

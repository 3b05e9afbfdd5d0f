// Does a network rest on the parts that an explanation names? Deletion masks the parts one after another, the most
// important first; insertion starts with all masked and puts them back in the same order (Petsiuk et al. 2018). Beside
// both, the same parts in a random order: an explanation that is worth anything changes the output faster.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <torch/torch.h>

#include "worker/explain/masked_record.hpp"

namespace leadsweep {

/// In this order: mean over nine steps (a tenth of the parts each) of the record's output minus that with parts masked,
/// by importance and in random order; of the output with parts put back minus that of all masked, likewise.
inline constexpr std::array<std::string_view, 4> kFaithfulnessNames = {"deletion", "deletion_random", "insertion",
                                                                       "insertion_random"};
inline constexpr std::int64_t kFaithfulnessFigures = 4;

/// [K, 4]: for each of `classes`; NaN for all others. coefficients [K, R, S]; the random order is drawn from (seed,
/// record). Parts are taken by signed coefficient: the one that speaks most for the class first.
torch::Tensor measure_faithfulness(MaskedRecord& masked, const torch::Tensor& coefficients,
                                   std::span<const std::int64_t> classes, std::int64_t seed, std::int64_t record);

}  // namespace leadsweep

// From records to the rows of a pack and back, for jobs whose records have several windows: a network sees windows,
// figures are told of records.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shared/job/fold_lists.hpp"
#include "worker/dataset/pack.hpp"

namespace leadsweep {

/// The same fold in rows of the pack: each record's rows stand where the record stood, with its labels.
FoldLists rows_of(const FoldLists& lists, const Pack& pack);

/// Rows of each of these records.
std::vector<std::int64_t> window_counts(const std::vector<std::int32_t>& records, const Pack& pack);

/// Pools rows into records: logits [rows, K] and `windows` [records] in the order of rows_of() -> [records, K]. `mean`
/// is the logit of the mean probability, `max` the largest logit.
std::vector<float> pool_windows(std::span<const float> logits, std::int64_t classes,
                                std::span<const std::int64_t> windows, const std::string& pooling);

/// Labels [rows, K] of rows -> [records, K]: those of each record's first row.
std::vector<std::uint8_t> pool_labels(std::span<const std::uint8_t> labels, std::int64_t classes,
                                      std::span<const std::int64_t> windows);

}  // namespace leadsweep

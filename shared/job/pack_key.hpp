// Which pack of prepared records a job reads, and how a pack is cut into shards: what both programs must agree on. What
// a shard looks like inside is known to worker/dataset/pack.hpp only.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// Catalogue records of one shard; the last one has what is left.
inline constexpr std::int64_t kRecordsPerShard = 256;

/// Shards of a pack of `records` catalogue records, usable or not.
std::int64_t shard_count(std::int64_t records);

/// The settings that decide what a prepared record looks like, with the semantics number of preparation.
nlohmann::json preparation_settings(const JobSpec& spec);

/// Names the pack's folder: SHA-256 of preparation_settings and the digest of the catalogue (shared/ecg/catalogue.hpp).
std::string pack_key(const JobSpec& spec, const std::string& data_digest);

}  // namespace leadsweep

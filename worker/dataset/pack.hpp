// Packs: prepared records in files that all jobs and workers of a node map into memory. A pack is a folder (named by
// shared/job/pack_key.hpp) of shards `000000.shard`, each with kRecordsPerShard consecutive catalogue records.
//
// Shard: "LSWSHARD", u32 version, u32 length of the JSON, SHA-256 of the JSON as 64 hexadecimal digits, the JSON
// {preparation, first_record, records, leads, samples, data_sha256}, zeros up to a multiple of 4096 bytes, then float32
// [records, L, T], little-endian. Records that the catalogue cannot use are rows of zeros; no fold refers to them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "shared/ecg/catalogue.hpp"
#include "shared/job/job_spec.hpp"
#include "shared/job/pack_key.hpp"

namespace leadsweep {

/// Called after every record with records done and records of the shard. What it throws ends the writing; nothing is
/// left.
using ShardProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// What became of a shard, and what was repaired in its records. Counts are 0 for a shard that was kept.
struct ShardReport {
    bool is_kept = false;  ///< it was there already, complete and of this preparation
    std::int64_t records = 0;
    std::int64_t padded_records = 0;
    std::int64_t missing_samples = 0;
    std::int64_t constant_leads = 0;
    std::int64_t unitless_records = 0;
};

std::filesystem::path shard_path(const std::filesystem::path& folder, std::int64_t shard);

/// Prepares the records of one shard, from spec.data.records or spec.data.synthetic, and writes it durably under a
/// temporary name first. A shard that is there is read through and kept if its digests are right, else made anew.
/// Throws InputError naming the record (changed since the survey, lead missing, unreadable), FileError.
ShardReport write_shard(const JobSpec& spec, const Catalogue& catalogue, const std::filesystem::path& folder,
                        std::int64_t shard, const ShardProgress& progress);

/// A complete pack, mapped read-only. Copies share the mapping. Safe to read from several threads.
class Pack {
public:
    /// Maps all shards of a pack of `records` catalogue records. Checks headers and sizes, not the data (write_shard
    /// does). Throws InputError where a shard is missing, torn or of another preparation; FileError.
    static Pack open(const std::filesystem::path& folder, const JobSpec& spec, std::int64_t records);

    /// [L, T] of one catalogue record: µV, or standard deviations after zscore. Throws std::out_of_range.
    std::span<const float> record(std::int64_t index) const;
    std::int64_t records() const { return records_; }
    std::int64_t leads() const { return leads_; }
    std::int64_t samples() const { return samples_; }

private:
    class Mapping;
    std::vector<std::shared_ptr<const Mapping>> shards_;
    std::int64_t records_ = 0;
    std::int64_t leads_ = 0;
    std::int64_t samples_ = 0;
};

}  // namespace leadsweep

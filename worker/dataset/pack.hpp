// Packs: prepared records in files that all jobs and workers of a node map into memory. A pack is a folder (named by
// shared/job/pack_key.hpp) of shards `000000.shard`, each with kRecordsPerShard consecutive catalogue records. A record
// has one row, or as many as it has windows.
//
// Shard: "LSWSHARD", u32 version, u32 length of the JSON, SHA-256 of the JSON as 64 hexadecimal digits, the JSON
// {preparation, first_record, records, windows (rows of each record), leads, samples, row_bytes, repairs (ShardReport),
// data_offset, data_sha256}, zeros up to data_offset, a multiple of 4096, then the rows (pack_samples.hpp),
// little-endian. Records that cannot be prepared are a row of zeros; no fold refers to them.
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
#include "worker/dataset/pack_samples.hpp"

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
    std::int64_t derived_leads = 0;
    std::int64_t unitless_records = 0;
    std::int64_t zero_records = 0;  ///< that cannot be prepared
};

std::filesystem::path shard_path(const std::filesystem::path& folder, std::int64_t shard);

/// Prepares the records of one shard, from spec.data.records or spec.data.synthetic, and writes it durably under a
/// temporary name first. A shard that is there is read through and kept if its digests are right, else made anew.
/// Holds some MiB in memory, however long the records are. Throws InputError naming the record (changed since the
/// survey, lead missing, unreadable), FileError.
ShardReport write_shard(const JobSpec& spec, const Catalogue& catalogue, const std::filesystem::path& folder,
                        std::int64_t shard, const ShardProgress& progress);

/// A complete pack, mapped read-only. Copies share the mapping. Safe to read from several threads.
class Pack {
public:
    /// Maps all shards of a pack of `records` catalogue records. Checks headers and sizes, not the data (write_shard
    /// does). Throws InputError where a shard is missing, torn or of another preparation; FileError.
    static Pack open(const std::filesystem::path& folder, const JobSpec& spec, std::int64_t records);

    /// Rows of all records: one each, but where windows are strided.
    std::int64_t rows() const { return first_rows_.back(); }
    /// First row of a catalogue record; that of the record after the last is rows(). Throws std::out_of_range.
    std::int64_t first_row(std::int64_t record) const { return first_rows_.at(static_cast<std::size_t>(record)); }
    /// Copies a row [L, T]: µV, or standard deviations after zscore. Throws std::out_of_range.
    void copy(std::int64_t row, std::span<float> out) const;
    std::int64_t records() const { return static_cast<std::int64_t>(first_rows_.size()) - 1; }
    std::int64_t leads() const { return leads_; }
    std::int64_t samples() const { return samples_; }

private:
    class Mapping;
    std::vector<std::shared_ptr<const Mapping>> shards_;
    std::vector<std::int64_t> first_rows_;  ///< [records + 1]
    PackType type_ = PackType::kFloat32;
    std::int64_t leads_ = 0;
    std::int64_t samples_ = 0;
};

}  // namespace leadsweep

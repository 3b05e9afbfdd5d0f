// A WFDB record with its samples, checked against everything its header says: formats 16 (.dat) and MATLAB level 4
// (.mat). Samples are kept as they are in the file; µV are made on request.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "worker/dataset/wfdb_header.hpp"

namespace leadsweep {

/// Marks a missing sample in format 16 (wfdb's signal(5)).
inline constexpr std::int32_t kMissingSample = -32768;

/// What one pass over a lead's samples tells.
struct LeadSummary {
    std::int32_t minimum = 0;
    std::int32_t maximum = 0;
    std::int64_t missing_samples = 0;

    bool is_constant() const { return minimum == maximum; }
};

struct WfdbRecord {
    WfdbHeader header;
    std::filesystem::path header_path;
    std::int64_t samples = 0;            ///< N, per lead
    std::vector<std::int32_t> digital;   ///< [L, N] in the order of header.signals
    std::vector<LeadSummary> summaries;  ///< [L]

    std::int64_t leads() const { return static_cast<std::int64_t>(header.signals.size()); }
    std::span<const std::int32_t> lead(std::int64_t index) const {
        return {digital.data() + index * samples, static_cast<std::size_t>(samples)};
    }
};

/// Reads a record. Throws InputError naming file and signal, what was found and what was expected: for a file that is
/// missing, truncated or longer than told, an unknown format, header and data that disagree in signals, samples,
/// initial value or checksum, a standard lead whose unit is no voltage.
WfdbRecord read_wfdb_record(const std::filesystem::path& header_path);

/// The distinct signal files of a header, as paths below `folder`, in the order in which they are named.
std::vector<std::filesystem::path> signal_files(const WfdbHeader& header, const std::filesystem::path& folder);

/// µV of one ADC step. A signal without unit (NU) counts as mV, so that z-scored data stay usable.
double microvolt_per_step(const WfdbSignal& signal);

/// The first out.size() samples of one lead in µV; out.size() must not exceed the record's samples. Missing samples are
/// interpolated linearly between their neighbours and held at the ends; a lead without any sample is 0. Returns how
/// many of these samples were missing.
std::int64_t lead_in_microvolt(const WfdbRecord& record, std::int64_t lead, std::span<double> out);

}  // namespace leadsweep

// A WFDB record with its samples, checked against everything its header says: formats 16, 24, 32, 61, 80 and 212
// (.dat), MATLAB level 4 and 5 (.mat). Samples are kept as they are in the file; µV are made on request.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "worker/dataset/wfdb_header.hpp"

namespace leadsweep {

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
    double sampling_hz = 0;              ///< of every row of `digital`: the frames' rate times samples per frame
    std::int64_t samples = 0;            ///< N, per lead
    std::vector<std::int32_t> digital;   ///< [L, N] in the order of header.signals
    std::vector<LeadSummary> summaries;  ///< [L], of the samples as they are in the file
    std::vector<std::string> repairs;    ///< what was put right on the way, for people

    std::int64_t leads() const { return static_cast<std::int64_t>(header.signals.size()); }
    std::span<const std::int32_t> lead(std::int64_t index) const {
        return {digital.data() + index * samples, static_cast<std::size_t>(samples)};
    }
};

/// Reads a record. Signals of another rate than the fastest of the twelve leads (of all signals, where none is a lead)
/// are interpolated linearly to that rate; a skewed signal is moved to its place, and what then is not there at its end
/// is missing; both are repairs. Throws InputError naming file and signal, what was found and what was expected: for a
/// file that is missing, truncated or longer than told, an unknown format, header and data that disagree in signals,
/// samples, initial value or checksum, a standard lead whose unit is no voltage or that is there twice.
WfdbRecord read_wfdb_record(const std::filesystem::path& header_path);

/// The value that marks a missing sample of this signal.
std::int32_t missing_value(const WfdbSignal& signal);

/// The distinct signal files of a header, as paths below `folder`, in the order in which they are named.
std::vector<std::filesystem::path> signal_files(const WfdbHeader& header, const std::filesystem::path& folder);

/// µV of one ADC step. A signal without unit (NU) counts as mV, so that z-scored data stay usable.
double microvolt_per_step(const WfdbSignal& signal);

/// out.size() samples of one lead in µV, from sample `first` on; all must lie within the record. Missing samples are
/// interpolated linearly between their neighbours and held at the ends of the record; a lead without any sample is 0.
/// Returns how many of these samples were missing.
std::int64_t lead_in_microvolt(const WfdbRecord& record, std::int64_t lead, std::span<double> out,
                               std::int64_t first = 0);

}  // namespace leadsweep

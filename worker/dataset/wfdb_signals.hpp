// The signal files of a WFDB record, decoded and compared in size with what the header says of them. Every signal as it
// lies in its file: rates, skews, checksums and units are wfdb_record.hpp's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "worker/dataset/wfdb_header.hpp"

namespace leadsweep {

/// A whole file, read at once.
class FileBytes {
public:
    /// Throws InputError naming the file, the reason, and `purpose`.
    FileBytes(const std::filesystem::path& path, const std::string& purpose);
    std::span<const std::byte> all() const { return {bytes_.get(), size_}; }

private:
    std::size_t read_all(int descriptor);

    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
};

/// The signals of one file: they must agree in format, and their samples are interleaved.
struct SignalGroup {
    std::string file;
    std::vector<std::size_t> signals;
};
std::vector<SignalGroup> groups_of(const WfdbHeader& header);

/// "signal 3 (aVR)"
std::string show_signal(const WfdbHeader& header, std::size_t index);

/// Signals as they lie in their files.
struct RawSignals {
    std::int64_t frames = 0;
    std::vector<std::int32_t> plain;              ///< [signals, frames] of those whose row below is empty
    std::vector<std::vector<std::int32_t>> rows;  ///< the others: frames * samples per frame
};

/// Reads the files of all signals. Throws InputError naming file and signal: a file that is missing, truncated or
/// longer than told, an unknown format, signals of one file that differ in format or offset, a matrix of another shape.
RawSignals read_signals(const WfdbHeader& header, const std::filesystem::path& header_path);

}  // namespace leadsweep

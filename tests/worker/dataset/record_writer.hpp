// Writes WFDB records for tests and benchmarks, right ones and, field by field, wrong ones. Not part of the product.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep::testing {

/// A folder that is removed with its content at the end of the scope.
class ScratchFolder {
public:
    ScratchFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "leadsweep-test-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw FileError(name, errno, "create a temporary folder");
        path_ = name;
    }
    ~ScratchFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline void write_text(const std::filesystem::path& path, std::string_view text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

/// A record to be written; change a field to make a header that disagrees with its data.
struct RecordToWrite {
    std::string name = "A0001";
    double sampling_hz = 500;
    std::vector<std::string> leads = standard_lead_names();
    std::int64_t samples = 0;           ///< N
    std::vector<std::int16_t> digital;  ///< [L, N]
    std::string extension = ".mat";     ///< or .dat
    std::string gain = "1000.0(0)/mV";
    std::string format;                   ///< "" : what fits the extension
    std::int64_t announced_samples = -1;  ///< -1: as they are
    int checksum_error = 0;
    int initial_value_error = 0;
    std::string comments = "# Dx: 426783006\n";
};

/// L leads of N samples with values that differ from lead to lead.
inline RecordToWrite make_record(std::int64_t leads, std::int64_t samples) {
    RecordToWrite record;
    record.leads.resize(static_cast<std::size_t>(leads));
    record.samples = samples;
    for (std::int64_t lead = 0; lead < leads; ++lead)
        for (std::int64_t t = 0; t < samples; ++t)
            record.digital.push_back(static_cast<std::int16_t>((t * (lead + 3) * 7919) % 2003 - 1000 + 10 * lead));
    return record;
}

inline std::string header_text(const RecordToWrite& record) {
    const auto announced = record.announced_samples < 0 ? record.samples : record.announced_samples;
    std::string text = fmt::format("{} {} {} {}\n", record.name, record.leads.size(), record.sampling_hz, announced);
    const std::string format = !record.format.empty() ? record.format : record.extension == ".mat" ? "16x1+24" : "16";
    for (std::size_t lead = 0; lead < record.leads.size(); ++lead) {
        const auto* values = record.digital.data() + lead * static_cast<std::size_t>(record.samples);
        std::uint32_t sum = 0;
        for (std::int64_t t = 0; t < record.samples; ++t) sum += static_cast<std::uint32_t>(values[t]);
        const auto checksum = static_cast<std::int16_t>(sum) + (lead == 1 ? record.checksum_error : 0);
        text += fmt::format("{}{} {} {} 16 0 {} {} 0 {}\n", record.name, record.extension, format, record.gain,
                            values[0] + (lead == 1 ? record.initial_value_error : 0), checksum, record.leads[lead]);
    }
    return text + record.comments;
}

inline std::string signal_bytes(const RecordToWrite& record) {
    std::string bytes;
    const auto leads = record.leads.size();
    const auto samples = static_cast<std::size_t>(record.samples);
    if (record.extension == ".mat") {
        const std::int32_t matrix[5] = {30, static_cast<std::int32_t>(leads), static_cast<std::int32_t>(samples), 0, 4};
        bytes.assign(reinterpret_cast<const char*>(matrix), sizeof matrix);
        bytes.append("val\0", 4);
    }
    std::vector<std::int16_t> interleaved(leads * samples);
    for (std::size_t lead = 0; lead < leads; ++lead)
        for (std::size_t t = 0; t < samples; ++t) interleaved[t * leads + lead] = record.digital[lead * samples + t];
    bytes.append(reinterpret_cast<const char*>(interleaved.data()), interleaved.size() * sizeof(std::int16_t));
    return bytes;
}

/// Writes header and signals into `folder`; returns the header's path.
inline std::filesystem::path write_record(const RecordToWrite& record, const std::filesystem::path& folder) {
    write_text(folder / (record.name + ".hea"), header_text(record));
    write_text(folder / (record.name + record.extension), signal_bytes(record));
    return folder / (record.name + ".hea");
}

/// The message of the InputError that `action` throws; "" if it throws none.
template <class Action>
std::string input_error_of(Action&& action) {
    try {
        action();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

/// Whether `text` has all of `parts`.
inline bool has_all(const std::string& text, const std::vector<std::string>& parts) {
    for (const auto& part : parts)
        if (text.find(part) == std::string::npos) return false;
    return true;
}

}  // namespace leadsweep::testing

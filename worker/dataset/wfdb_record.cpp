#include "worker/dataset/wfdb_record.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"
#include "worker/dataset/matlab4.hpp"

namespace leadsweep {
namespace {

/// A whole file, read at once.
class FileBytes {
public:
    FileBytes(const std::filesystem::path& path, const std::string& purpose) {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) fail(path, purpose, errno);
        struct stat status {};
        if (::fstat(descriptor, &status) == 0) size_ = static_cast<std::size_t>(status.st_size);
        bytes_ = std::make_unique_for_overwrite<std::byte[]>(size_);
        const std::size_t read = read_all(descriptor);
        const int error_number = errno;
        ::close(descriptor);
        if (read != size_) fail(path, purpose, error_number);
    }
    std::span<const std::byte> all() const { return {bytes_.get(), size_}; }

private:
    std::size_t read_all(int descriptor) {
        std::size_t done = 0;
        while (done < size_) {
            const ssize_t count = ::read(descriptor, bytes_.get() + done, size_ - done);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) break;
            done += static_cast<std::size_t>(count);
        }
        return done;
    }
    [[noreturn]] static void fail(const std::filesystem::path& path, const std::string& purpose, int error_number) {
        throw InputError(
            fmt::format("{}: cannot be read: {}; {}", path.string(), std::strerror(error_number), purpose));
    }

    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
};

/// The signals of one file: they must agree in format, and their samples are interleaved.
struct SignalGroup {
    std::string file;
    std::vector<std::size_t> signals;
};

std::vector<SignalGroup> groups_of(const WfdbHeader& header) {
    std::vector<SignalGroup> groups;
    for (std::size_t i = 0; i < header.signals.size(); ++i) {
        const auto& file = header.signals[i].file;
        auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& known) { return known.file == file; });
        if (group == groups.end()) group = groups.insert(groups.end(), {file, {}});
        group->signals.push_back(i);
    }
    return groups;
}

std::string show_signal(const WfdbHeader& header, std::size_t index) {
    return fmt::format("signal {} ({})", index, header.signals[index].lead);
}

void check_format(const WfdbHeader& header, const SignalGroup& group, const std::string& header_name) {
    const auto& first = header.signals[group.signals.front()];
    for (const std::size_t index : group.signals) {
        const auto& signal = header.signals[index];
        if (signal.format != 16)
            throw InputError(
                fmt::format("{}: {}: found format {}, expected 16 (with offset for .mat): convert it with "
                            "xform",
                            header_name, show_signal(header, index), signal.format));
        if (signal.samples_per_frame != 1)
            throw InputError(
                fmt::format("{}: {}: found {} samples per frame, expected 1: all leads must share one rate",
                            header_name, show_signal(header, index), signal.samples_per_frame));
        if (signal.byte_offset != first.byte_offset)
            throw InputError(fmt::format("{}: {}: found offset {}, expected {} as for the first signal of {}",
                                         header_name, show_signal(header, index), signal.byte_offset, first.byte_offset,
                                         signal.file));
    }
}

/// in [N, R] of any alignment -> R rows of N. In blocks that stay in the first-level cache.
void deinterleave(const std::byte* in, std::size_t samples, const std::vector<std::int32_t*>& rows) {
    constexpr std::size_t kBlock = 512;
    const std::size_t stride = rows.size() * sizeof(std::int16_t);
    for (std::size_t begin = 0; begin < samples; begin += kBlock) {
        const std::size_t end = std::min(samples, begin + kBlock);
        for (std::size_t row = 0; row < rows.size(); ++row) {
            const std::byte* from = in + begin * stride + row * sizeof(std::int16_t);
            std::int32_t* to = rows[row];
            for (std::size_t t = begin; t < end; ++t, from += stride) {
                std::int16_t value = 0;
                std::memcpy(&value, from, sizeof value);
                to[t] = value;
            }
        }
    }
}

/// Where the samples of a group lie in their file.
struct Layout {
    std::optional<Matlab4Matrix> matrix;  ///< nothing for raw files
    std::int64_t announced = 0;           ///< samples per signal, as the matrix or else the size of the file says
    std::int64_t complete = 0;            ///< samples per signal that are really there
};

Layout layout_of(const SignalGroup& group, const WfdbSignal& signal, std::span<const std::byte> file,
                 const std::string& name) {
    Layout layout;
    const auto signals = static_cast<std::int64_t>(group.signals.size());
    if (group.file.ends_with(".mat")) layout.matrix = parse_matlab4(file, name);
    const auto size = static_cast<std::int64_t>(file.size());
    const std::int64_t element_bytes = layout.matrix ? layout.matrix->element_bytes() : 2;
    layout.complete = (size - std::min(size, signal.byte_offset)) / (signals * element_bytes);
    layout.announced = layout.complete;
    if (!layout.matrix) return layout;
    if (layout.matrix->rows != signals)
        throw InputError(fmt::format("{}: found {} rows, expected {}: so many signals the header has in this file",
                                     name, layout.matrix->rows, signals));
    if (layout.matrix->data_offset != signal.byte_offset)
        throw InputError(fmt::format("{}: found data from byte {} on, expected {} as the header says", name,
                                     layout.matrix->data_offset, signal.byte_offset));
    layout.announced = layout.matrix->columns;
    return layout;
}

void check_samples(const Layout& layout, std::int64_t expected, std::size_t size_bytes, const std::string& name) {
    const std::int64_t needed = layout.matrix ? layout.announced : expected;
    if (layout.complete < needed)
        throw InputError(fmt::format("{}: truncated: found {} samples per signal ({} bytes), expected {}", name,
                                     layout.complete, size_bytes, needed));
    if (layout.announced != expected)
        throw InputError(fmt::format("{}: found {} samples per signal, expected {} as the header says", name,
                                     layout.announced, expected));
    if (expected == 0) throw InputError(fmt::format("{}: found no samples, expected at least one", name));
}

void decode_group(WfdbRecord& record, const SignalGroup& group, std::span<const std::byte> file,
                  const std::string& name) {
    const auto& signals = record.header.signals;
    const auto& first = signals[group.signals.front()];
    const Layout layout = layout_of(group, first, file, name);
    if (record.samples == 0) record.samples = record.header.samples > 0 ? record.header.samples : layout.announced;
    check_samples(layout, record.samples, file.size(), name);
    const auto samples = static_cast<std::size_t>(record.samples);
    record.digital.resize(signals.size() * samples);
    std::vector<std::int32_t*> rows;
    for (const std::size_t index : group.signals) rows.push_back(record.digital.data() + index * samples);
    if (!layout.matrix || layout.matrix->is_plain_int16())
        return deinterleave(file.data() + first.byte_offset, samples, rows);
    std::vector<std::int32_t> interleaved(samples * rows.size());
    decode_matlab4(*layout.matrix, file, name, interleaved);
    for (std::size_t row = 0; row < rows.size(); ++row)
        for (std::size_t t = 0; t < samples; ++t) rows[row][t] = interleaved[t * rows.size() + row];
}

/// Summarises one lead and compares it with its signal line.
LeadSummary check_lead(const WfdbRecord& record, std::size_t index, const std::string& name) {
    const auto samples = record.lead(static_cast<std::int64_t>(index));
    LeadSummary summary{samples.front(), samples.front(), 0};
    std::uint32_t sum = 0;
    std::int32_t missing = 0;
    for (const std::int32_t value : samples) {
        sum += static_cast<std::uint32_t>(value);
        summary.minimum = std::min(summary.minimum, value);
        summary.maximum = std::max(summary.maximum, value);
        missing += value == kMissingSample ? 1 : 0;
    }
    summary.missing_samples = missing;
    const auto& signal = record.header.signals[index];
    if (signal.initial_value && *signal.initial_value != samples.front())
        throw InputError(
            fmt::format("{}: {}: found initial value {}, expected {} as the header says: header and data "
                        "belong to different records",
                        name, show_signal(record.header, index), samples.front(), *signal.initial_value));
    const auto found = static_cast<std::int16_t>(sum);
    if (signal.checksum && static_cast<std::int16_t>(*signal.checksum) != found)
        throw InputError(fmt::format("{}: {}: found checksum {}, expected {} as the header says: the data are damaged",
                                     name, show_signal(record.header, index), found, *signal.checksum));
    if (signal.unit == PhysicalUnit::kOther && find_lead(signal.lead))
        throw InputError(fmt::format("{}: {}: found unit '{}', expected mV, uV, V or NU", name,
                                     show_signal(record.header, index), signal.unit_text));
    return summary;
}

/// Replaces missing samples; false if there is no other sample.
bool interpolate(std::span<const std::int32_t> digital, std::span<double> out, double step, double baseline) {
    const auto value_at = [&](std::size_t t) { return (digital[t] - baseline) * step; };
    std::optional<std::size_t> before;
    for (std::size_t t = 0; t < out.size(); ++t) {
        if (digital[t] != kMissingSample) {
            before = t;
            continue;
        }
        std::size_t after = t;
        while (after < digital.size() && digital[after] == kMissingSample) ++after;
        if (!before && after == digital.size()) return false;
        for (; t < std::min(after, out.size()); ++t) {
            if (!before)
                out[t] = value_at(after);
            else if (after == digital.size())
                out[t] = value_at(*before);
            else
                out[t] = value_at(*before) + (value_at(after) - value_at(*before)) * static_cast<double>(t - *before) /
                                                 static_cast<double>(after - *before);
        }
        --t;
    }
    return true;
}

}  // namespace

std::vector<std::filesystem::path> signal_files(const WfdbHeader& header, const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& group : groups_of(header)) files.push_back(folder / group.file);
    return files;
}

WfdbRecord read_wfdb_record(const std::filesystem::path& header_path) {
    WfdbRecord record;
    record.header_path = header_path;
    const std::string header_name = header_path.string();
    const FileBytes text(header_path, "it is the record's header");
    record.header =
        parse_wfdb_header({reinterpret_cast<const char*>(text.all().data()), text.all().size()}, header_name);
    const auto groups = groups_of(record.header);
    for (const auto& group : groups) {
        check_format(record.header, group, header_name);
        const auto path = header_path.parent_path() / group.file;
        const FileBytes file(path, fmt::format("the header {} names it", header_name));
        decode_group(record, group, file.all(), path.string());
    }
    for (std::size_t i = 0; i < record.header.signals.size(); ++i) {
        const auto path = header_path.parent_path() / record.header.signals[i].file;
        record.summaries.push_back(check_lead(record, i, path.string()));
    }
    return record;
}

double microvolt_per_step(const WfdbSignal& signal) {
    switch (signal.unit) {
        case PhysicalUnit::kMicrovolt:
            return 1.0 / signal.gain;
        case PhysicalUnit::kVolt:
            return 1e6 / signal.gain;
        default:
            return 1e3 / signal.gain;
    }
}

std::int64_t lead_in_microvolt(const WfdbRecord& record, std::int64_t lead, std::span<double> out) {
    const auto& signal = record.header.signals.at(static_cast<std::size_t>(lead));
    const auto digital = record.lead(lead);
    const double step = microvolt_per_step(signal);
    for (std::size_t t = 0; t < out.size(); ++t) out[t] = (digital[t] - signal.baseline) * step;
    if (record.summaries[static_cast<std::size_t>(lead)].missing_samples == 0) return 0;
    if (!interpolate(digital, out, step, signal.baseline)) std::fill(out.begin(), out.end(), 0.0);
    return std::count(digital.begin(), digital.begin() + static_cast<std::ptrdiff_t>(out.size()), kMissingSample);
}

}  // namespace leadsweep

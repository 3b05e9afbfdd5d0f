#include "worker/dataset/wfdb_signals.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "worker/dataset/matlab4.hpp"
#include "worker/dataset/matlab5.hpp"
#include "worker/dataset/signal_format.hpp"

namespace leadsweep {
namespace {

void check_format(const WfdbHeader& header, const SignalGroup& group, const std::string& header_name) {
    const auto& first = header.signals[group.signals.front()];
    for (const std::size_t index : group.signals) {
        const auto& signal = header.signals[index];
        if (!is_known_format(signal.format))
            throw InputError(fmt::format("{}: {}: found format {}, expected one of {}: convert it with xform",
                                         header_name, show_signal(header, index), signal.format, kKnownFormats));
        if (signal.format != first.format)
            throw InputError(fmt::format("{}: {}: found format {}, expected {} as for the first signal of {}",
                                         header_name, show_signal(header, index), signal.format, first.format,
                                         signal.file));
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

/// How much a group's file holds.
struct Layout {
    std::optional<Matlab4Matrix> level4;
    std::optional<Matlab5Matrix> level5;
    std::int64_t announced = 0;  ///< frames that the file itself tells of; for raw files those that fit
    std::int64_t complete = 0;   ///< frames that are really there

    bool is_matrix() const { return level4 || level5; }
};

void check_matrix(std::int64_t rows, std::int64_t signals, std::int64_t per_frame, const std::string& name) {
    if (rows != signals)
        throw InputError(fmt::format("{}: found {} rows, expected {}: so many signals the header has in this file",
                                     name, rows, signals));
    if (per_frame != signals)
        throw InputError(fmt::format("{}: found {} samples per frame, expected {}: the rows of a matrix have one rate",
                                     name, per_frame, signals));
}

std::int64_t frame_length(const WfdbHeader& header, const SignalGroup& group) {
    std::int64_t values = 0;
    for (const std::size_t index : group.signals) values += header.signals[index].samples_per_frame;
    return values;
}

Layout layout_of(const WfdbHeader& header, const SignalGroup& group, std::span<const std::byte> file,
                 const std::filesystem::path& path) {
    Layout layout;
    const std::string name = path.string();
    const auto& signal = header.signals[group.signals.front()];
    const auto signals = static_cast<std::int64_t>(group.signals.size());
    const std::int64_t per_frame = frame_length(header, group);
    const auto size = static_cast<std::int64_t>(file.size());
    if (!group.file.ends_with(".mat")) {
        const std::int64_t bytes = size - std::min(size, signal.byte_offset);
        layout.announced = layout.complete = samples_in(signal.format, bytes) / per_frame;
        return layout;
    }
    if (is_matlab5(file)) {
        layout.level5 = read_matlab5(path, file, missing_sample(signal.format));
        check_matrix(layout.level5->rows, signals, per_frame, name);
        layout.announced = layout.complete = layout.level5->columns;
        return layout;
    }
    layout.level4 = parse_matlab4(file, name);
    check_matrix(layout.level4->rows, signals, per_frame, name);
    if (layout.level4->data_offset != signal.byte_offset)
        throw InputError(fmt::format("{}: found data from byte {} on, expected {} as the header says", name,
                                     layout.level4->data_offset, signal.byte_offset));
    layout.announced = layout.level4->columns;
    layout.complete = (size - std::min(size, layout.level4->data_offset)) / (signals * layout.level4->element_bytes());
    return layout;
}

void check_samples(const Layout& layout, std::int64_t expected, std::size_t size_bytes, const std::string& name) {
    const std::int64_t needed = layout.is_matrix() ? layout.announced : expected;
    if (layout.complete < needed)
        throw InputError(fmt::format("{}: truncated: found {} samples per signal ({} bytes), expected {}", name,
                                     layout.complete, size_bytes, needed));
    if (layout.announced != expected)
        throw InputError(fmt::format("{}: found {} samples per signal, expected {} as the header says", name,
                                     layout.announced, expected));
    if (expected == 0) throw InputError(fmt::format("{}: found no samples, expected at least one", name));
}

/// All samples of a group in the file's order.
std::vector<std::int32_t> decode_stream(const Layout& layout, const WfdbSignal& signal, std::span<const std::byte> file,
                                        std::size_t values, const std::string& name) {
    std::vector<std::int32_t> stream(values);
    if (layout.level4)
        decode_matlab4(*layout.level4, file, name, missing_sample(signal.format), stream);
    else
        decode_samples(signal.format, file.subspan(static_cast<std::size_t>(signal.byte_offset)), stream);
    return stream;
}

/// The usual case, and the fast one: all signals in one file of 16-bit numbers, one sample a frame.
bool is_plain(const WfdbHeader& header, const SignalGroup& group, const Layout& layout) {
    const bool has_one_rate = std::all_of(header.signals.begin(), header.signals.end(), [](const WfdbSignal& signal) {
        return signal.samples_per_frame == 1 && signal.skew == 0;
    });
    if (!has_one_rate || layout.level5) return false;
    return layout.level4 ? layout.level4->is_plain_int16() : header.signals[group.signals.front()].format == 16;
}

void decode_group(const WfdbHeader& header, const SignalGroup& group, std::span<const std::byte> file,
                  const std::filesystem::path& path, RawSignals& raw) {
    const auto& signals = header.signals;
    const auto& first = signals[group.signals.front()];
    Layout layout = layout_of(header, group, file, path);
    if (raw.frames == 0) raw.frames = header.samples > 0 ? header.samples : layout.announced;
    check_samples(layout, raw.frames, file.size(), path.string());
    const auto frames = static_cast<std::size_t>(raw.frames);
    if (is_plain(header, group, layout)) {
        raw.plain.resize(signals.size() * frames);
        std::vector<std::int32_t*> rows;
        for (const std::size_t index : group.signals) rows.push_back(raw.plain.data() + index * frames);
        return deinterleave(file.data() + first.byte_offset, frames, rows);
    }
    const auto per_frame = static_cast<std::size_t>(frame_length(header, group));
    const std::vector<std::int32_t> stream =
        layout.level5 ? std::move(layout.level5->values)
                      : decode_stream(layout, first, file, frames * per_frame, path.string());
    std::size_t place = 0;  // of the signal's samples within a frame
    for (const std::size_t index : group.signals) {
        const auto own = static_cast<std::size_t>(signals[index].samples_per_frame);
        auto& row = raw.rows[index];
        row.resize(frames * own);
        for (std::size_t frame = 0; frame < frames; ++frame)
            std::copy_n(stream.begin() + static_cast<std::ptrdiff_t>(frame * per_frame + place), own,
                        row.begin() + static_cast<std::ptrdiff_t>(frame * own));
        place += own;
    }
}

}  // namespace

FileBytes::FileBytes(const std::filesystem::path& path, const std::string& purpose) {
    const auto fail = [&](int error_number) {
        return InputError(
            fmt::format("{}: cannot be read: {}; {}", path.string(), std::strerror(error_number), purpose));
    };
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw fail(errno);
    struct stat status {};
    if (::fstat(descriptor, &status) == 0) size_ = static_cast<std::size_t>(status.st_size);
    bytes_ = std::make_unique_for_overwrite<std::byte[]>(size_);
    const std::size_t read = read_all(descriptor);
    const int error_number = errno;
    ::close(descriptor);
    if (read != size_) throw fail(error_number);
}

std::size_t FileBytes::read_all(int descriptor) {
    std::size_t done = 0;
    while (done < size_) {
        const ssize_t count = ::read(descriptor, bytes_.get() + done, size_ - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

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

RawSignals read_signals(const WfdbHeader& header, const std::filesystem::path& header_path) {
    const std::string header_name = header_path.string();
    RawSignals raw;
    raw.rows.resize(header.signals.size());
    for (const auto& group : groups_of(header)) {
        check_format(header, group, header_name);
        const auto path = header_path.parent_path() / group.file;
        const FileBytes file(path, fmt::format("the header {} names it", header_name));
        decode_group(header, group, file.all(), path, raw);
    }
    return raw;
}

}  // namespace leadsweep

#include "worker/dataset/wfdb_record.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"
#include "worker/dataset/signal_format.hpp"
#include "worker/dataset/wfdb_signals.hpp"

namespace leadsweep {
namespace {

/// The header of a record with a thousand signals has less.
constexpr std::size_t kMostHeaderBytes = std::size_t{1} << 20U;

LeadSummary summarise(std::span<const std::int32_t> samples, std::int32_t missing_mark, std::uint32_t& sum) {
    LeadSummary summary{samples.front(), samples.front(), 0};
    std::int32_t missing = 0;
    for (const std::int32_t value : samples) {
        sum += static_cast<std::uint32_t>(value);
        summary.minimum = std::min(summary.minimum, value);
        summary.maximum = std::max(summary.maximum, value);
        missing += value == missing_mark ? 1 : 0;
    }
    summary.missing_samples = missing;
    return summary;
}

/// Summarises one lead as it lies in its file and compares it with its signal line.
LeadSummary check_lead(const WfdbHeader& header, std::size_t index, std::span<const std::int32_t> samples,
                       const std::string& name) {
    const auto& signal = header.signals[index];
    std::uint32_t sum = 0;
    LeadSummary summary = summarise(samples, missing_value(signal), sum);
    if (signal.initial_value && *signal.initial_value != samples.front())
        throw InputError(
            fmt::format("{}: {}: found initial value {}, expected {} as the header says: header and data "
                        "belong to different records",
                        name, show_signal(header, index), samples.front(), *signal.initial_value));
    const auto found = static_cast<std::int16_t>(sum);
    if (signal.checksum && static_cast<std::int16_t>(*signal.checksum) != found)
        throw InputError(fmt::format("{}: {}: found checksum {}, expected {} as the header says: the data are damaged",
                                     name, show_signal(header, index), found, *signal.checksum));
    if (signal.unit == PhysicalUnit::kOther && find_lead(signal.lead))
        throw InputError(fmt::format("{}: {}: found unit '{}', expected mV, uV, V or NU", name,
                                     show_signal(header, index), signal.unit_text));
    return summary;
}

/// Two signals of one name: which of them is meant is not known.
void check_names(const WfdbHeader& header, const std::string& name) {
    std::array<std::optional<std::size_t>, kLeadCount> first_of;
    for (std::size_t i = 0; i < header.signals.size(); ++i) {
        const auto lead = find_lead(header.signals[i].lead);
        if (!lead) continue;
        auto& first = first_of[*lead];
        if (first)
            throw InputError(fmt::format("{}: signals {} and {} are both lead {}, expected each lead once", name,
                                         *first, i, kLeadNames[*lead]));
        first = i;
    }
}

/// Samples per frame of the record's rate.
std::int64_t common_rate(const WfdbHeader& header) {
    std::int64_t of_leads = 0;
    std::int64_t of_all = 0;
    for (const auto& signal : header.signals) {
        of_all = std::max(of_all, signal.samples_per_frame);
        if (find_lead(signal.lead)) of_leads = std::max(of_leads, signal.samples_per_frame);
    }
    return of_leads > 0 ? of_leads : of_all;
}

/// `row` at another rate: linear between its samples, held after the last; missing where a neighbour is.
void interpolate_rate(const std::vector<std::int32_t>& row, std::int32_t missing, std::span<std::int32_t> out) {
    const double step = static_cast<double>(row.size()) / static_cast<double>(out.size());
    for (std::size_t t = 0; t < out.size(); ++t) {
        const double place = static_cast<double>(t) * step;
        const auto before = std::min(static_cast<std::size_t>(place), row.size() - 1);
        const auto after = std::min(before + 1, row.size() - 1);
        const double share = place - static_cast<double>(before);
        const bool is_missing = row[before] == missing || (share > 0 && row[after] == missing);
        out[t] = is_missing ? missing
                            : static_cast<std::int32_t>(std::lround(row[before] * (1 - share) + row[after] * share));
    }
}

/// A signal that is `skew` samples late moves forward; its end is missing.
void remove_skew(std::vector<std::int32_t>& row, std::int64_t skew, std::int32_t missing) {
    const auto late = static_cast<std::size_t>(std::min<std::int64_t>(skew, static_cast<std::int64_t>(row.size())));
    row.erase(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(late));
    row.insert(row.end(), late, missing);
}

/// Brings all signals to one rate and in time with each other.
void align_signals(WfdbRecord& record, RawSignals& raw) {
    const auto& signals = record.header.signals;
    const std::int64_t per_frame = common_rate(record.header);
    record.sampling_hz = record.header.sampling_hz * static_cast<double>(per_frame);
    record.samples = raw.frames * per_frame;
    const auto samples = static_cast<std::size_t>(record.samples);
    record.digital = std::move(raw.plain);
    record.digital.resize(signals.size() * samples);
    for (std::size_t i = 0; i < signals.size(); ++i) {
        auto& row = raw.rows[i];
        if (row.empty()) continue;
        const std::span<std::int32_t> out(record.digital.data() + i * samples, samples);
        if (signals[i].skew > 0) {
            record.repairs.push_back(fmt::format("lead {} is {} frames late: moved", signals[i].lead, signals[i].skew));
            const std::int64_t skew = std::min(signals[i].skew, raw.frames) * signals[i].samples_per_frame;
            remove_skew(row, skew, missing_value(signals[i]));
            record.summaries[i].missing_samples += skew;
        }
        if (signals[i].samples_per_frame == per_frame) {
            std::copy(row.begin(), row.end(), out.begin());
            continue;
        }
        record.repairs.push_back(fmt::format(
            "lead {} has {} Hz: interpolated to {} Hz", signals[i].lead,
            record.header.sampling_hz * static_cast<double>(signals[i].samples_per_frame), record.sampling_hz));
        interpolate_rate(row, missing_value(signals[i]), out);
    }
}

/// Replaces the missing samples of out, which begins at sample `first`; false if the lead has no other sample.
bool interpolate(std::span<const std::int32_t> digital, std::int32_t missing, std::size_t first, std::span<double> out,
                 double step, double baseline) {
    const auto value_at = [&](std::size_t t) { return (digital[t] - baseline) * step; };
    std::optional<std::size_t> before;
    for (std::size_t t = first; t-- > 0 && !before;)
        if (digital[t] != missing) before = t;
    for (std::size_t t = first; t < first + out.size(); ++t) {
        if (digital[t] != missing) {
            before = t;
            continue;
        }
        std::size_t after = t;
        while (after < digital.size() && digital[after] == missing) ++after;
        if (!before && after == digital.size()) return false;
        for (; t < std::min(after, first + out.size()); ++t) {
            double& value = out[t - first];
            if (!before)
                value = value_at(after);
            else if (after == digital.size())
                value = value_at(*before);
            else
                value = value_at(*before) + (value_at(after) - value_at(*before)) * static_cast<double>(t - *before) /
                                                static_cast<double>(after - *before);
        }
        --t;
    }
    return true;
}

}  // namespace

std::int32_t missing_value(const WfdbSignal& signal) {
    return missing_sample(signal.format);
}

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
    if (text.all().size() > kMostHeaderBytes)
        throw InputError(fmt::format("{}: found {} bytes, expected at most {}: this is no WFDB header", header_name,
                                     text.all().size(), kMostHeaderBytes));
    record.header =
        parse_wfdb_header({reinterpret_cast<const char*>(text.all().data()), text.all().size()}, header_name);
    record.repairs = record.header.repairs;
    check_names(record.header, header_name);
    RawSignals raw = read_signals(record.header, header_path);
    const auto frames = static_cast<std::size_t>(raw.frames);
    for (std::size_t i = 0; i < raw.rows.size(); ++i) {
        const auto path = header_path.parent_path() / record.header.signals[i].file;
        const auto samples = raw.rows[i].empty() ? std::span<const std::int32_t>(raw.plain).subspan(i * frames, frames)
                                                 : std::span<const std::int32_t>(raw.rows[i]);
        record.summaries.push_back(check_lead(record.header, i, samples, path.string()));
    }
    align_signals(record, raw);
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

std::int64_t lead_in_microvolt(const WfdbRecord& record, std::int64_t lead, std::span<double> out, std::int64_t first) {
    const auto& signal = record.header.signals.at(static_cast<std::size_t>(lead));
    const auto begin = static_cast<std::size_t>(first);
    const auto digital = record.lead(lead).subspan(begin, out.size());
    const double step = microvolt_per_step(signal);
    for (std::size_t t = 0; t < out.size(); ++t) out[t] = (digital[t] - signal.baseline) * step;
    if (record.summaries[static_cast<std::size_t>(lead)].missing_samples == 0) return 0;
    const std::int32_t missing = missing_value(signal);
    if (!interpolate(record.lead(lead), missing, begin, out, step, signal.baseline))
        std::fill(out.begin(), out.end(), 0.0);
    return std::count(digital.begin(), digital.end(), missing);
}

}  // namespace leadsweep

#include "worker/dataset/prepare.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"
#include "worker/dataset/resample.hpp"

namespace leadsweep {
namespace {

/// Waiting records are transformed at 2 MiB: measured best between one call of torch a record and leaving the caches.
constexpr std::size_t kMostWaitingValues = 1 << 18;

void to_float(std::span<const double> values, std::span<float> out) {
    for (std::size_t t = 0; t < values.size(); ++t) out[t] = static_cast<float>(values[t]);
}

void to_zscore(std::span<const double> values, std::span<float> out) {
    const auto count = static_cast<double>(values.size());
    double mean = 0;
    for (const double value : values) mean += value / count;
    double variance = 0;
    for (const double value : values) variance += (value - mean) * (value - mean) / count;
    const double scale = variance > 0 ? 1.0 / std::sqrt(variance) : 0.0;
    for (std::size_t t = 0; t < values.size(); ++t) out[t] = static_cast<float>((values[t] - mean) * scale);
}

}  // namespace

Preparer::Preparer(const JobSpec& spec)
    : samples_(spec.window_samples()), window_s_(spec.data.window_s), is_zscored_(spec.data.normalize == "zscore") {
    for (const auto& name : spec.data.leads) {
        const auto lead = find_lead(name);
        if (!lead)
            throw InputError(
                fmt::format("data.leads: '{}' is no lead: expected some of {}", name, fmt::join(kLeadNames, ", ")));
        leads_.push_back(*lead);
    }
    if (leads_.empty()) throw InputError("data.leads: found none, expected at least one lead");
    if (samples_ < 1)
        throw InputError(fmt::format("a window of {} s at {} Hz has no samples", window_s_, spec.sampling_hz));
}

std::vector<std::int64_t> Preparer::find_leads(const std::string& name, const std::vector<std::string>& present) const {
    std::vector<std::int64_t> found;
    for (const std::size_t wanted : leads_) {
        std::size_t index = 0;
        while (index < present.size() && find_lead(present[index]) != wanted) ++index;
        if (index == present.size())
            throw InputError(
                fmt::format("{}: lead {} is missing, found {}: take it out of data.leads or leave the record "
                            "out",
                            name, kLeadNames[wanted], fmt::join(present, ", ")));
        found.push_back(static_cast<std::int64_t>(index));
    }
    return found;
}

std::span<double> Preparer::row(std::size_t lead) {
    const std::size_t first = outputs_.size() * leads_.size();
    const auto native = static_cast<std::size_t>(native_samples_);
    return {waiting_.data() + (first + lead) * native, native};
}

Preparer::Native Preparer::start_record(const std::string& name, double sampling_hz, std::int64_t samples,
                                        std::span<float> out) {
    if (static_cast<std::int64_t>(out.size()) != leads() * samples_)
        throw std::invalid_argument("prepare: the output is no [L, T]");
    const std::int64_t native = std::llround(window_s_ * sampling_hz);
    if (native < 1)
        throw InputError(fmt::format("{}: a window of {} s at {} Hz has no samples", name, window_s_, sampling_hz));
    const std::size_t values = leads_.size() * static_cast<std::size_t>(native);
    if (native != native_samples_ || waiting_.size() + values > kMostWaitingValues) flush();
    native_samples_ = native;
    waiting_.resize(waiting_.size() + values);
    return {native, std::min(native, samples)};
}

void Preparer::finish_record(const Native& native, std::span<float> out, PrepareNotes& notes) {
    notes.padded_samples = native.samples - native.used;
    for (std::size_t lead = 0; lead < leads_.size(); ++lead) {
        const auto values = row(lead);
        const auto used = values.first(static_cast<std::size_t>(native.used));
        const bool is_constant =
            std::all_of(used.begin(), used.end(), [&](double value) { return value == used.front(); });
        notes.constant_leads += is_constant ? 1 : 0;
        is_constant_.push_back(is_constant ? 1 : 0);
        std::fill(values.begin() + native.used, values.end(), 0.0);
    }
    outputs_.push_back(out);
}

PrepareNotes Preparer::add(const WfdbRecord& record, std::span<float> out) {
    std::vector<std::string> present;
    for (const auto& signal : record.header.signals) present.push_back(signal.lead);
    const std::string name = record.header_path.string();
    const auto found = find_leads(name, present);
    const Native native = start_record(name, record.header.sampling_hz, record.samples, out);
    PrepareNotes notes;
    for (std::size_t lead = 0; lead < leads_.size(); ++lead) {
        notes.missing_samples +=
            lead_in_microvolt(record, found[lead], row(lead).first(static_cast<std::size_t>(native.used)));
        const auto& signal = record.header.signals[static_cast<std::size_t>(found[lead])];
        notes.is_unitless = notes.is_unitless || signal.unit == PhysicalUnit::kNone;
    }
    finish_record(native, out, notes);
    return notes;
}

PrepareNotes Preparer::add(const SyntheticRecord& record, std::span<float> out) {
    const Native native = start_record(record.path, record.sampling_hz, record.samples, out);
    PrepareNotes notes;
    for (std::size_t lead = 0; lead < leads_.size(); ++lead) {
        const auto values = record.lead(leads_[lead]).first(static_cast<std::size_t>(native.used));
        std::copy(values.begin(), values.end(), row(lead).begin());
    }
    finish_record(native, out, notes);
    return notes;
}

void Preparer::flush() {
    if (outputs_.empty()) {
        waiting_.clear();
        return;
    }
    const auto samples = static_cast<std::size_t>(samples_);
    const std::size_t rows = outputs_.size() * leads_.size();
    std::vector<double> resampled(rows * samples);
    resample_fourier(waiting_, static_cast<std::int64_t>(rows), native_samples_, samples_, resampled);
    for (std::size_t index = 0; index < rows; ++index) {
        const std::span<const double> values(resampled.data() + index * samples, samples);
        const auto out = outputs_[index / leads_.size()].subspan(index % leads_.size() * samples, samples);
        if (!is_zscored_)
            to_float(values, out);
        else if (is_constant_[index] != 0)
            std::fill(out.begin(), out.end(), 0.0F);
        else
            to_zscore(values, out);
    }
    waiting_.clear();
    outputs_.clear();
    is_constant_.clear();
}

PrepareNotes prepare_record(const WfdbRecord& record, const JobSpec& spec, std::span<float> out) {
    Preparer preparer(spec);
    const PrepareNotes notes = preparer.add(record, out);
    preparer.flush();
    return notes;
}

PrepareNotes prepare_record(const SyntheticRecord& record, const JobSpec& spec, std::span<float> out) {
    Preparer preparer(spec);
    const PrepareNotes notes = preparer.add(record, out);
    preparer.flush();
    return notes;
}

}  // namespace leadsweep

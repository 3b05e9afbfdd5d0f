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

/// leads x samples read as samples x leads: channel l at time t is element t * L + l of the record as it lies in memory
/// (the reshape of several published notebooks). `values` is [L, T].
void reshape_mistaken(std::span<float> values, std::size_t leads) {
    const std::vector<float> original(values.begin(), values.end());
    const std::size_t samples = values.size() / leads;
    for (std::size_t lead = 0; lead < leads; ++lead)
        for (std::size_t t = 0; t < samples; ++t) values[lead * samples + t] = original[t * leads + lead];
}

}  // namespace

std::int64_t window_count(const DataSpec& data, double sampling_hz, std::int64_t samples) {
    const std::int64_t native = std::llround(data.window_s * sampling_hz);
    if (data.windows == "first" || samples <= native) return 1;
    std::int64_t windows = 1;
    while (std::llround(static_cast<double>(windows) * data.stride_s * sampling_hz) + native <= samples) ++windows;
    return windows;
}

bool can_be_prepared(const CatalogueRecord& record, const DataSpec& data) {
    return record.is_usable() && gives_leads(record.leads, data.leads, data.derive_leads == "limb") &&
           (data.band_pass_hz.empty() || record.sampling_hz > 2 * data.band_pass_hz.back());
}

Preparer::Preparer(const JobSpec& spec)
    : samples_(spec.window_samples()), data_(spec.data), is_zscored_(spec.data.normalize == "zscore") {
    for (const auto& name : spec.data.leads) {
        const auto lead = find_lead(name);
        if (!lead)
            throw InputError(
                fmt::format("data.leads: '{}' is no lead: expected some of {}", name, fmt::join(kLeadNames, ", ")));
        leads_.push_back(*lead);
    }
    if (leads_.empty()) throw InputError("data.leads: found none, expected at least one lead");
    if (samples_ < 1)
        throw InputError(fmt::format("a window of {} s at {} Hz has no samples", data_.window_s, spec.sampling_hz));
}

std::vector<std::int64_t> Preparer::find_leads(const std::string& name, const std::vector<std::string>& present) const {
    const auto find = [&](std::size_t wanted) {
        const auto found =
            std::find_if(present.begin(), present.end(), [&](const auto& lead) { return find_lead(lead) == wanted; });
        return found == present.end() ? std::int64_t{-1} : found - present.begin();
    };
    const bool is_derivable = data_.derive_leads == "limb" && find(0) >= 0 && find(1) >= 0;
    std::vector<std::int64_t> indices;
    for (const std::size_t wanted : leads_) {
        indices.push_back(find(wanted));
        if (indices.back() < 0 && !(is_derivable && formula_of(wanted)))
            throw InputError(
                fmt::format("{}: lead {} is missing, found {}: take it out of data.leads or leave the record "
                            "out",
                            name, kLeadNames[wanted], fmt::join(present, ", ")));
    }
    return indices;
}

std::span<double> Preparer::row(std::size_t lead) {
    const std::size_t first = outputs_.size() * leads_.size();
    const auto native = static_cast<std::size_t>(native_samples_);
    return {waiting_.data() + (first + lead) * native, native};
}

const BandPass& Preparer::filter_for(const std::string& name, double sampling_hz) {
    const auto known = filters_.find(sampling_hz);
    if (known != filters_.end()) return known->second;
    const double low = data_.band_pass_hz.front();
    const double high = data_.band_pass_hz.back();
    if (!(2 * high < sampling_hz))
        throw InputError(
            fmt::format("{}: data.band_pass_hz reaches {} Hz, the record has {} Hz: it must have more "
                        "than twice as many",
                        name, high, sampling_hz));
    return filters_.emplace(sampling_hz, BandPass(low, high, sampling_hz)).first->second;
}

Preparer::Native Preparer::start_window(const std::string& name, double sampling_hz, std::int64_t samples,
                                        std::int64_t window, std::span<float> out) {
    if (static_cast<std::int64_t>(out.size()) != leads() * samples_)
        throw std::invalid_argument("prepare: the output is no [L, T]");
    const std::int64_t native = std::llround(data_.window_s * sampling_hz);
    if (native < 1)
        throw InputError(
            fmt::format("{}: a window of {} s at {} Hz has no samples", name, data_.window_s, sampling_hz));
    if (window < 0 || window >= window_count(data_, sampling_hz, samples))
        throw std::out_of_range(fmt::format("{}: window {}", name, window));
    if (!data_.band_pass_hz.empty()) filter_for(name, sampling_hz);
    const std::size_t values = leads_.size() * static_cast<std::size_t>(native);
    if (native != native_samples_ || waiting_.size() + values > kMostWaitingValues) flush();
    native_samples_ = native;
    waiting_.resize(waiting_.size() + values);
    const std::int64_t first = std::llround(static_cast<double>(window) * data_.stride_s * sampling_hz);
    return {first, native, std::min(native, samples - first)};
}

void Preparer::finish_window(const Native& native, double sampling_hz, std::span<float> out, PrepareNotes& notes) {
    notes.padded_samples = native.samples - native.used;
    for (std::size_t lead = 0; lead < leads_.size(); ++lead) {
        const auto values = row(lead);
        const auto used = values.first(static_cast<std::size_t>(native.used));
        const bool is_constant =
            std::all_of(used.begin(), used.end(), [&](double value) { return value == used.front(); });
        notes.constant_leads += is_constant ? 1 : 0;
        is_constant_.push_back(is_constant ? 1 : 0);
        if (!data_.band_pass_hz.empty()) filters_.at(sampling_hz).apply(used);
        std::fill(values.begin() + native.used, values.end(), 0.0);
    }
    outputs_.push_back(out);
}

void Preparer::note_missing(const WfdbRecord& record, std::int64_t signal, std::size_t lead, const Native& native) {
    const auto index = static_cast<std::size_t>(signal);
    if (data_.missing != "mask" || record.summaries[index].missing_samples == 0) return;
    const std::int32_t mark = missing_value(record.header.signals[index]);
    const auto samples = record.lead(signal);
    const std::size_t own_row = outputs_.size() * leads_.size() + lead;
    for (std::int64_t t = 0; t < native.used; ++t)
        if (samples[static_cast<std::size_t>(native.first + t)] == mark) missing_.emplace_back(own_row, t);
}

void Preparer::derive(const WfdbRecord& record, std::size_t lead, const Native& native, PrepareNotes& notes) {
    const LeadFormula formula = *formula_of(leads_[lead]);
    const auto out = row(lead).first(static_cast<std::size_t>(native.used));
    std::vector<double> part(out.size());
    std::fill(out.begin(), out.end(), 0.0);
    for (const auto& [from, factor] : {std::pair{std::size_t{0}, formula.first}, {std::size_t{1}, formula.second}}) {
        const auto& signals = record.header.signals;
        const auto found = std::find_if(signals.begin(), signals.end(),
                                        [&](const WfdbSignal& signal) { return find_lead(signal.lead) == from; });
        const std::int64_t index = found - signals.begin();
        notes.missing_samples += lead_in_microvolt(record, index, part, native.first);
        note_missing(record, index, lead, native);
        for (std::size_t t = 0; t < out.size(); ++t) out[t] += factor * part[t];
    }
    ++notes.derived_leads;
}

PrepareNotes Preparer::add(const WfdbRecord& record, std::span<float> out, std::int64_t window) {
    std::vector<std::string> present;
    for (const auto& signal : record.header.signals) present.push_back(signal.lead);
    const std::string name = record.header_path.string();
    const auto found = find_leads(name, present);
    const Native native = start_window(name, record.sampling_hz, record.samples, window, out);
    PrepareNotes notes;
    for (std::size_t lead = 0; lead < leads_.size(); ++lead) {
        if (found[lead] < 0) {
            derive(record, lead, native, notes);
            continue;
        }
        const auto used = row(lead).first(static_cast<std::size_t>(native.used));
        notes.missing_samples += lead_in_microvolt(record, found[lead], used, native.first);
        note_missing(record, found[lead], lead, native);
        const auto& signal = record.header.signals[static_cast<std::size_t>(found[lead])];
        notes.is_unitless = notes.is_unitless || signal.unit == PhysicalUnit::kNone;
    }
    finish_window(native, record.sampling_hz, out, notes);
    return notes;
}

PrepareNotes Preparer::add(const SyntheticRecord& record, std::span<float> out, std::int64_t window) {
    const Native native = start_window(record.path, record.sampling_hz, record.samples, window, out);
    PrepareNotes notes;
    for (std::size_t lead = 0; lead < leads_.size(); ++lead) {
        const auto values = record.lead(leads_[lead])
                                .subspan(static_cast<std::size_t>(native.first), static_cast<std::size_t>(native.used));
        std::copy(values.begin(), values.end(), row(lead).begin());
    }
    finish_window(native, record.sampling_hz, out, notes);
    return notes;
}

/// 0 for every sample whose surroundings, as wide as the coarser rate's step, hold a missing one.
void Preparer::mask(std::size_t row, std::span<float> out) const {
    const double step = static_cast<double>(native_samples_) / static_cast<double>(samples_);
    const double reach = std::max(step, 1.0) / 2 + 1e-9;
    const auto begin = std::lower_bound(missing_.begin(), missing_.end(), std::pair{row, std::int64_t{0}});
    for (auto one = begin; one != missing_.end() && one->first == row; ++one) {
        const double place = static_cast<double>(one->second);
        const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil((place - reach) / step)));
        const auto last = std::min(samples_ - 1, static_cast<std::int64_t>(std::floor((place + reach) / step)));
        for (std::int64_t t = first; t <= last; ++t) out[static_cast<std::size_t>(t)] = 0;
    }
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
    std::sort(missing_.begin(), missing_.end());
    for (std::size_t index = 0; index < rows; ++index) {
        const std::span<const double> values(resampled.data() + index * samples, samples);
        const auto out = outputs_[index / leads_.size()].subspan(index % leads_.size() * samples, samples);
        if (!is_zscored_)
            to_float(values, out);
        else if (is_constant_[index] != 0)
            std::fill(out.begin(), out.end(), 0.0F);
        else
            to_zscore(values, out);
        if (!missing_.empty()) mask(index, out);
    }
    if (data_.layout == "reshape")
        for (const auto& out : outputs_) reshape_mistaken(out, leads_.size());
    waiting_.clear();
    outputs_.clear();
    is_constant_.clear();
    missing_.clear();
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

#include "worker/explain/explainer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "worker/explain/beats.hpp"
#include "worker/explain/electrodes.hpp"
#include "worker/explain/faithfulness.hpp"
#include "worker/explain/record_order.hpp"

namespace leadsweep {

namespace {

std::int64_t segments_of(const ExplainSpec& spec) {
    if (spec.align == "beats") return kBeatParts;
    return spec.align == "beat_time" ? kBeatPieces : spec.segments;
}

}  // namespace

std::vector<std::int64_t> equal_parts(std::int64_t samples, std::int64_t segments) {
    std::vector<std::int64_t> parts(static_cast<std::size_t>(samples));
    for (std::int64_t s = 0; s < segments; ++s)
        std::fill(parts.begin() + s * samples / segments, parts.begin() + (s + 1) * samples / segments, s);
    return parts;
}

Explainer::Explainer(std::shared_ptr<Model> model, const JobSpec& spec, std::unique_ptr<ExplainMethod> method,
                     std::span<const std::int32_t> background)
    : model_(std::move(model)),
      spec_(spec),
      method_(std::move(method)),
      rows_(mask_rows(spec)),
      segments_(segments_of(spec.explain)) {
    if (spec.explain.baseline != "background") return;
    if (background.empty())
        throw JobError(FailureClass::kInvalid,
                       "explain.baseline: background needs training records, and there are none");
    background_ = in_seeded_order(background, spec.seed);
    const auto most = static_cast<std::size_t>(spec.explain.background_records);
    if (background_.size() > most) background_.resize(most);
}

Division Explainer::divide(std::span<const float> signal) const {
    const auto leads = static_cast<std::int64_t>(spec_.data.leads.size());
    const auto samples = static_cast<std::int64_t>(signal.size()) / leads;
    if (rows_.from_leads.defined())
        if (const auto inconsistency = lead_inconsistency(signal, spec_.data.leads);
            inconsistency && !(*inconsistency <= kMostInconsistency))
            return {Refusal::kInconsistentLeads};
    if (spec_.explain.align == "window") {
        if (segments_ > samples)
            throw JobError(FailureClass::kInvalid,
                           fmt::format("explain.segments: {} parts of a window of {} samples", segments_, samples));
        return {Refusal::kNone, equal_parts(samples, segments_)};
    }
    auto peaks = find_r_peaks(signal, leads, spec_.sampling_hz);
    if (peaks.empty()) return {Refusal::kNoBeats};
    auto parts = spec_.explain.align == "beats" ? beat_parts(peaks, samples, spec_.sampling_hz)
                                                : beat_pieces(peaks, samples, spec_.sampling_hz);
    return {Refusal::kNone, std::move(parts), std::move(peaks)};
}

std::vector<float> Explainer::row_signals(std::span<const float> signal) const {
    if (!rows_.from_leads.defined()) return {signal.begin(), signal.end()};
    const auto leads = torch::tensor(torch::ArrayRef<float>(signal.data(), signal.size()))
                           .view({static_cast<std::int64_t>(spec_.data.leads.size()), -1});
    const auto rows = rows_.from_leads.t().matmul(leads).contiguous();
    return {rows.const_data_ptr<float>(), rows.const_data_ptr<float>() + rows.numel()};
}

Explanation Explainer::explain(const RecordSource& records, std::int32_t record, std::span<const std::int64_t> classes,
                               const std::function<void(double)>& on_progress) {
    std::vector<float> signal(static_cast<std::size_t>(records.leads() * records.samples()));
    records.copy(record, signal.data());
    const Division division = divide(signal);
    if (division.refusal != Refusal::kNone) return {{}, {}, {}, division.refusal};
    MaskedRecord masked(*model_, spec_, rows_, records, record, division.segment_of_sample, segments_, background_);
    const auto copies = method_->copies(masked.features(), masked.baselines(), record);
    const auto fit = method_->solve(copies, masked.outputs(copies, on_progress));
    const auto coefficients = masked.by_part(fit.coefficients);
    return {coefficients, fit.r2, measure_faithfulness(masked, coefficients, classes, spec_.seed, record),
            Refusal::kNone};
}

}  // namespace leadsweep

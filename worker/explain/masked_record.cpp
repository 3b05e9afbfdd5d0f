#include "worker/explain/masked_record.hpp"

#include "worker/explain/electrodes.hpp"
#include "worker/model/predict.hpp"

namespace leadsweep {

MaskRows mask_rows(const JobSpec& spec) {
    if (spec.explain.space == "leads") return {spec.data.leads, {}, {}};
    const ElectrodeMaps maps = electrode_maps(spec.data.leads);
    const auto leads = static_cast<std::int64_t>(spec.data.leads.size());
    const auto electrodes = static_cast<std::int64_t>(maps.electrodes.size());
    return {maps.electrodes, torch::tensor(torch::ArrayRef<float>(maps.from_leads)).view({leads, electrodes}),
            torch::tensor(torch::ArrayRef<float>(maps.to_leads)).view({electrodes, leads})};
}

MaskedRecord::MaskedRecord(Model& model, const JobSpec& spec, const MaskRows& rows, const RecordSource& records,
                           std::int32_t record, std::span<const std::int64_t> segment_of_sample, std::int64_t segments,
                           std::span<const std::int32_t> background)
    : model_(model),
      mask_rows_(rows),
      wants_probability_(spec.explain.target == "probability"),
      rows_(static_cast<std::int64_t>(rows.names.size())),
      segments_(segments) {
    segment_of_sample_ =
        torch::tensor(torch::ArrayRef<std::int64_t>(segment_of_sample.data(), segment_of_sample.size()))
            .to(model.device());
    signal_ = potentials(records, {&record, 1})[0];
    baselines_ = spec.explain.baseline == "background" ? potentials(records, background)
                                                       : own_baseline(spec.explain.baseline).unsqueeze(0);
}

/// Records as [n, T, R] on the model's device.
torch::Tensor MaskedRecord::potentials(const RecordSource& records, std::span<const std::int32_t> indices) const {
    const auto signals = gather_records(records, indices).to(model_.device()).transpose(1, 2);  // [n, T, L]
    if (!mask_rows_.from_leads.defined()) return signals.contiguous();
    return signals.matmul(mask_rows_.from_leads.to(model_.device()));
}

torch::Tensor MaskedRecord::own_baseline(const std::string& kind) const {
    if (kind == "zero") return torch::zeros({1, rows_}, signal_.options());
    if (kind == "lead_mean") return signal_.mean(0, /*keepdim=*/true);
    const auto counts = torch::zeros({segments_}, signal_.options())
                            .index_add(0, segment_of_sample_, torch::ones({signal_.size(0)}, signal_.options()));
    const auto sums = torch::zeros({segments_, rows_}, signal_.options()).index_add(0, segment_of_sample_, signal_);
    return (sums / counts.clamp_min(1).unsqueeze(1)).index_select(0, segment_of_sample_);
}

torch::Tensor MaskedRecord::outputs(const PerturbedCopies& copies, const std::function<void(double)>& on_progress) {
    const torch::NoGradGuard no_grad;
    const auto device = model_.device();
    const std::int64_t count = copies.masks.size(0);
    const auto masks = copies.masks.to(device, torch::kFloat32).view({count, rows_, segments_}).transpose(1, 2);
    const auto from = copies.baselines.to(device);
    const auto to_leads = mask_rows_.to_leads.defined() ? mask_rows_.to_leads.to(device) : torch::Tensor();
    const auto deviation = baselines() == 1 ? signal_ - baselines_[0] : torch::Tensor();
    std::vector<torch::Tensor> outputs;
    for (std::int64_t first = 0; first < count; first += kInferenceBatch) {
        const std::int64_t end = std::min(count, first + kInferenceBatch);
        const auto kept = masks.slice(0, first, end).index_select(1, segment_of_sample_);  // [b, T, R]
        auto masked = baselines() == 1
                          ? torch::addcmul(baselines_, kept, deviation)
                          : baselines_.index_select(0, from.slice(0, first, end)).lerp_(signal_.expand_as(kept), kept);
        if (to_leads.defined()) masked = masked.matmul(to_leads);
        const auto logits = model_.forward(masked.transpose(1, 2)).to(torch::kCPU, torch::kFloat64);
        outputs.push_back(wants_probability_ ? logits.sigmoid() : logits);
        if (on_progress) on_progress(static_cast<double>(end) / static_cast<double>(count));
    }
    return torch::cat(outputs);
}

}  // namespace leadsweep

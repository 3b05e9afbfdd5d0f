// One record on the network's device, of which any parts can be masked: rows (leads or electrodes) x segments.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "shared/job/job_spec.hpp"
#include "worker/explain/method.hpp"
#include "worker/model/model.hpp"
#include "worker/model/record_source.hpp"

namespace leadsweep {

/// The rows that can be masked, and how leads follow from them.
struct MaskRows {
    std::vector<std::string> names;  ///< R
    torch::Tensor from_leads;        ///< [L, R]; undefined where rows are the leads
    torch::Tensor to_leads;          ///< [R, L]; undefined where rows are the leads
};

/// Of explain.space. Throws JobError(kInvalid) where the leads do not determine the electrodes.
MaskRows mask_rows(const JobSpec& spec);

class MaskedRecord {
public:
    /// `segment_of_sample` [T] holds numbers from 0 to segments - 1. `background`: records whose parts take the place
    /// of masked ones (explain.baseline: background).
    MaskedRecord(Model& model, const JobSpec& spec, const MaskRows& rows, const RecordSource& records,
                 std::int32_t record, std::span<const std::int64_t> segment_of_sample, std::int64_t segments,
                 std::span<const std::int32_t> background);

    std::int64_t features() const { return rows_ * segments_; }
    /// B: 1 unless explain.baseline is background.
    std::int64_t baselines() const { return baselines_.size(0); }
    /// The model's outputs [P, K], float64 on the CPU: logits or probabilities (explain.target).
    torch::Tensor outputs(const PerturbedCopies& copies, const std::function<void(double)>& on_progress);
    /// [K, D] as [K, R, S].
    torch::Tensor by_part(const torch::Tensor& coefficients) const { return coefficients.view({-1, rows_, segments_}); }

private:
    torch::Tensor potentials(const RecordSource& records, std::span<const std::int32_t> indices) const;
    torch::Tensor own_baseline(const std::string& kind) const;

    Model& model_;
    const MaskRows& mask_rows_;
    bool wants_probability_;
    std::int64_t rows_;
    std::int64_t segments_;
    torch::Tensor segment_of_sample_;
    torch::Tensor signal_;     ///< [T, R]: time before rows, as channels_last convolutions read it
    torch::Tensor baselines_;  ///< [B, T or 1, R]
};

}  // namespace leadsweep

// Which parts of a record a network's outputs rest on: one signed coefficient a class, row and segment of time. Rows
// are leads or electrodes (explain.space); segments are equal parts of the window (boundaries by integer division), or
// the parts or pieces of all its beats (explain.align).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "shared/job/job_spec.hpp"
#include "worker/explain/masked_record.hpp"
#include "worker/explain/method.hpp"
#include "worker/model/model.hpp"
#include "worker/model/record_source.hpp"

namespace leadsweep {

/// Why a record has no explanation.
enum class Refusal {
    kNone,
    kInconsistentLeads,  ///< explain.space: electrodes, and III is not II - I
    kNoBeats             ///< explain.align: beats, and no R peak was found
};

/// Of one record, on the CPU, float64.
struct Explanation {
    torch::Tensor coefficients;  ///< [K, R, S], positive where the part speaks for the class; undefined if refused
    torch::Tensor r2;            ///< [K] weighted R2 of the linear models; NaN for methods that have none
    /// [K, kFaithfulnessFigures] for the classes that were asked for, NaN for all others (faithfulness.hpp).
    torch::Tensor faithfulness;
    Refusal refusal = Refusal::kNone;
};

/// How one record is divided.
struct Division {
    Refusal refusal = Refusal::kNone;
    std::vector<std::int64_t> segment_of_sample = {};  ///< [T], 0 to S - 1; empty if refused
    std::vector<std::int64_t> r_peaks = {};            ///< where beats are divided
};

class Explainer {
public:
    /// `model` is folded and in evaluation mode (Model::fold). `background`: records that may take the place of masked
    /// parts, those of the training list; used where explain.baseline is background. Throws JobError(kInvalid) where
    /// the settings cannot serve.
    Explainer(std::shared_ptr<Model> model, const JobSpec& spec, std::unique_ptr<ExplainMethod> method,
              std::span<const std::int32_t> background);

    /// A function of the network, the record, the settings and the background alone; how faithful it is, is measured
    /// for `classes`. `on_progress(fraction)` is called after each batch of perturbed copies; what it throws ends the
    /// explanation. Throws JobError(kInvalid) where the settings cannot serve.
    Explanation explain(const RecordSource& records, std::int32_t record, std::span<const std::int64_t> classes = {},
                        const std::function<void(double)>& on_progress = {});

    /// `signal` [L, T] as the network sees it. Throws JobError(kInvalid) where the settings cannot serve.
    Division divide(std::span<const float> signal) const;
    /// The signals of the rows [R, T]: those of the leads, or the potentials of the electrodes.
    std::vector<float> row_signals(std::span<const float> signal) const;

    const std::vector<std::string>& rows() const { return rows_.names; }  ///< R
    std::int64_t segments() const { return segments_; }                   ///< S

private:
    std::shared_ptr<Model> model_;
    JobSpec spec_;
    std::unique_ptr<ExplainMethod> method_;
    MaskRows rows_;
    std::int64_t segments_;
    std::vector<std::int32_t> background_;
};

/// Numbers of the equal parts that T samples are divided into: [T].
std::vector<std::int64_t> equal_parts(std::int64_t samples, std::int64_t segments);

}  // namespace leadsweep

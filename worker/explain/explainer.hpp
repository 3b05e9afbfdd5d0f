// Which parts of a record a network's logits rest on: one signed coefficient a class, lead and segment of time. A
// segment is one of S equal parts of the window (boundaries by integer division), masked by putting a baseline in its
// place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <torch/torch.h>

#include "shared/job/job_spec.hpp"
#include "worker/model/model.hpp"
#include "worker/model/record_source.hpp"

namespace leadsweep {

/// Of one record, on the CPU, float64.
struct Explanation {
    torch::Tensor coefficients;  ///< [K, L, S], on the logit: positive where the part speaks for the class
    torch::Tensor r2;            ///< [K] weighted R2 of the linear models; 0 for methods that have none
};

class Explainer {
public:
    virtual ~Explainer() = default;
    /// A function of the network, the record and the seed alone. `on_progress(fraction)` is called after each batch of
    /// perturbed copies; what it throws ends the explanation. Throws JobError(kInvalid) where the settings cannot
    /// serve.
    virtual Explanation explain(const RecordSource& records, std::int32_t record,
                                const std::function<void(double)>& on_progress = {}) = 0;
};

/// `model` is folded and in evaluation mode (Model::fold). `seed` is the job's.
std::unique_ptr<Explainer> make_lime(std::shared_ptr<Model> model, const ExplainSpec& spec, std::int64_t seed);
/// Coefficient = logit of the record - logit with this part masked (Zeiler and Fergus 2014). No linear model, no
/// randomness.
std::unique_ptr<Explainer> make_occlusion(std::shared_ptr<Model> model, const ExplainSpec& spec, std::int64_t seed);

/// Masks [P, D] of zeros and ones, float64: the first row all ones, the others of independent fair coin flips, counted
/// from (seed, record) by Philox 4x32-10, so that they depend on nothing else.
torch::Tensor lime_masks(std::int64_t perturbations, std::int64_t features, std::int64_t seed, std::int64_t record);

/// exp(-d^2 / (2 w^2)) with d the cosine distance of each mask [P, D] from all ones; an all-zero mask has distance 1.
torch::Tensor lime_weights(const torch::Tensor& masks, double kernel_width);

struct RidgeFit {
    torch::Tensor coefficients;  ///< [K, D]
    torch::Tensor intercepts;    ///< [K], not penalised
    torch::Tensor r2;            ///< [K] weighted; 0 where the outcome does not vary
};

/// Minimises sum_p w_p (y_pk - b_k - x_p beta_k)^2 + ridge * |beta_k|^2 for all K outcomes with one Cholesky
/// factorisation of the weighted normal equations, in float64. x [P, D], y [P, K], w [P]. Throws JobError(kInvalid)
/// where they are singular (ridge 0 and too few perturbations).
RidgeFit fit_weighted_ridge(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& weights, double ridge);

}  // namespace leadsweep

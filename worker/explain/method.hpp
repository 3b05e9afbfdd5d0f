// How a record is perturbed and what is made of the network's answers: the part in which LIME, kernel SHAP and
// occlusion differ. A feature is one part of a record (one row, one segment); a mask tells which parts are kept.
#pragma once

#include <cstdint>
#include <memory>

#include <torch/torch.h>

#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// Copies of one record of which to ask the network.
struct PerturbedCopies {
    torch::Tensor masks;  ///< [P, D], float64 on the CPU: 1 keeps a part, 0 puts the baseline in its place
    /// [P], int64: which of the B baselines each copy takes its masked parts from.
    torch::Tensor baselines;
};

/// Linear models of all K outputs.
struct LinearFit {
    torch::Tensor coefficients;  ///< [K, D]
    torch::Tensor r2;            ///< [K] weighted; NaN for methods that fit no model
};

class ExplainMethod {
public:
    virtual ~ExplainMethod() = default;
    /// A function of the arguments and the settings alone. `record` is its index. Throws JobError(kInvalid) where the
    /// settings cannot serve D = `features` parts.
    virtual PerturbedCopies copies(std::int64_t features, std::int64_t baselines, std::int64_t record) const = 0;
    /// `outputs` [P, K], float64, of the copies. Throws JobError(kInvalid) where no fit can be had from them.
    virtual LinearFit solve(const PerturbedCopies& copies, const torch::Tensor& outputs) const = 0;
};

/// Ribeiro et al. 2016: fair coin flips, a kernel over the cosine distance from the whole record, a weighted ridge.
std::unique_ptr<ExplainMethod> make_lime(const ExplainSpec& spec, std::int64_t seed);
/// Lundberg and Lee 2017: Shapley values by weighted least squares. Coalition sizes s are drawn in proportion to
/// 1 / (s (D - s)), each coalition with its complement (Covert and Lee 2021); where explain.perturbations allow all
/// 2^D - 2 coalitions, each is taken once with its kernel weight, which is exact. The values sum to the output of the
/// record minus the mean output of its baselines.
std::unique_ptr<ExplainMethod> make_kernel_shap(const ExplainSpec& spec, std::int64_t seed);
/// Zeiler and Fergus 2014: output of the record minus the mean output with this part masked. No linear model, no
/// randomness. explain.segments: 1 masks whole leads.
std::unique_ptr<ExplainMethod> make_occlusion(const ExplainSpec& spec, std::int64_t seed);

/// Masks [P, D] of zeros and ones, float64: the first row all ones, the others of independent fair coin flips, counted
/// from (seed, record) by Philox 4x32-10, so that they depend on nothing else.
torch::Tensor lime_masks(std::int64_t perturbations, std::int64_t features, std::int64_t seed, std::int64_t record);

/// exp(-d^2 / (2 w^2)) with d the cosine distance of each mask [P, D] from all ones; an all-zero mask has distance 1.
torch::Tensor lime_weights(const torch::Tensor& masks, double kernel_width);

}  // namespace leadsweep

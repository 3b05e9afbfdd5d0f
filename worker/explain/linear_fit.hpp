// Weighted linear models of all outputs at once, in float64 on the CPU: one factorisation serves every class.
#pragma once

#include <torch/torch.h>

namespace leadsweep {

struct RidgeFit {
    torch::Tensor coefficients;  ///< [K, D]
    torch::Tensor intercepts;    ///< [K], not penalised
    torch::Tensor r2;            ///< [K] weighted; 0 where the outcome does not vary
};

/// Minimises sum_p w_p (y_pk - b_k - x_p beta_k)^2 + ridge * |beta_k|^2 for all K outcomes by one Cholesky
/// factorisation of the weighted normal equations. x [P, D], y [P, K], w [P]. Throws JobError(kInvalid) where they are
/// singular (ridge 0 and too few perturbations).
RidgeFit fit_weighted_ridge(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& weights, double ridge);

struct ConstrainedFit {
    torch::Tensor coefficients;  ///< [K, D]; the sum over D is exactly (up to rounding) full - empty
    torch::Tensor r2;            ///< [K] weighted; 0 where the outcome does not vary
};

/// Minimises sum_p w_p (y_pk - empty_k - x_p phi_k)^2 subject to sum(phi_k) = full_k - empty_k: the equality
/// constraints of kernel SHAP at the empty and the full coalition. x [P, D], y [P, K], w [P], empty and full [K].
/// Throws JobError(kInvalid) where the coalitions do not determine the values.
ConstrainedFit fit_constrained(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& weights,
                               const torch::Tensor& empty, const torch::Tensor& full);

}  // namespace leadsweep

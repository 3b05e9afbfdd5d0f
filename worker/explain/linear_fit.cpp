#include "worker/explain/linear_fit.hpp"

#include <fmt/format.h>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// The lower Cholesky factor. Throws where `normal` [D, D] is singular as far as float64 can tell.
torch::Tensor factorised(const torch::Tensor& normal, std::int64_t copies, const char* remedy) {
    const auto [factor, info] = at::linalg_cholesky_ex(normal);
    const double largest = normal.diagonal().max().item<double>();
    if (info.item<int>() == 0 && factor.diagonal().square().min().item<double>() > 1e-12 * largest) return factor;
    throw JobError(FailureClass::kInvalid,
                   fmt::format("the linear model of {} parts from {} perturbations is singular: {}", normal.size(0),
                               copies, remedy));
}

torch::Tensor r2_of(const torch::Tensor& unexplained, const torch::Tensor& total) {
    return torch::where(total > 0, 1 - unexplained / total, torch::zeros_like(total));
}

}  // namespace

RidgeFit fit_weighted_ridge(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& weights,
                            double ridge) {
    const auto share = weights / weights.sum();
    const auto x_mean = share.matmul(x);  // [D]
    const auto y_mean = share.matmul(y);  // [K]
    const auto x_centred = x - x_mean;
    const auto y_centred = y - y_mean;
    const auto weighted = x_centred * weights.unsqueeze(1);
    const auto normal = weighted.t().matmul(x_centred) + ridge * torch::eye(x.size(1), torch::kFloat64);
    const auto factor = factorised(normal, x.size(0),
                                   fmt::format("raise explain.perturbations or explain.ridge (now {})", ridge).c_str());
    const auto solution = torch::cholesky_solve(weighted.t().matmul(y_centred), factor);  // [D, K]
    const auto unexplained = (weights.unsqueeze(1) * (y_centred - x_centred.matmul(solution)).square()).sum(0);
    const auto total = (weights.unsqueeze(1) * y_centred.square()).sum(0);
    return {solution.t().contiguous(), y_mean - x_mean.matmul(solution), r2_of(unexplained, total)};
}

ConstrainedFit fit_constrained(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& weights,
                               const torch::Tensor& empty, const torch::Tensor& full) {
    const auto target = y - empty;  // [P, K]
    const auto weighted = x * (weights / weights.sum()).unsqueeze(1);
    const auto factor = factorised(weighted.t().matmul(x), x.size(0), "raise explain.perturbations");
    const auto free = torch::cholesky_solve(weighted.t().matmul(target), factor);                    // [D, K]
    const auto along = torch::cholesky_solve(torch::ones({x.size(1), 1}, torch::kFloat64), factor);  // [D, 1]
    // The Lagrange multiplier of the one constraint, for each outcome.
    const auto excess = (free.sum(0) - (full - empty)) / along.sum();  // [K]
    const auto solution = free - along * excess;
    const auto residual = target - x.matmul(solution);
    const auto share = (weights / weights.sum()).unsqueeze(1);
    const auto y_mean = (share * y).sum(0);
    return {solution.t().contiguous(),
            r2_of((share * residual.square()).sum(0), (share * (y - y_mean).square()).sum(0))};
}

}  // namespace leadsweep

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/core/PhiloxRNGEngine.h>
#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "worker/explain/linear_fit.hpp"
#include "worker/explain/method.hpp"

namespace leadsweep {
namespace {

/// Uniform in [0, below), without the bias of a remainder. Philox gives the same numbers on every platform.
std::uint32_t uniform(at::philox_engine& random, std::uint32_t below) {
    const std::uint64_t limit = (std::uint64_t{1} << 32U) / below * below;
    std::uint64_t drawn = random();
    while (drawn >= limit) drawn = random();
    return static_cast<std::uint32_t>(drawn % below);
}

/// Cumulated probabilities of the coalition sizes 1 ... D - 1, each in proportion to 1 / (s (D - s)).
std::vector<double> cumulated_sizes(std::int64_t features) {
    std::vector<double> cumulated;
    double sum = 0;
    for (std::int64_t s = 1; s < features; ++s)
        cumulated.push_back(sum += 1.0 / static_cast<double>(s * (features - s)));
    for (double& value : cumulated) value /= sum;
    return cumulated;
}

class KernelShap final : public ExplainMethod {
public:
    KernelShap(const ExplainSpec& spec, std::int64_t seed) : perturbations_(spec.perturbations), seed_(seed) {}

    PerturbedCopies copies(std::int64_t features, std::int64_t baselines, std::int64_t record) const override {
        // First the whole record, then all of it masked with each baseline, then the coalitions.
        const std::int64_t ends = 1 + baselines;
        const auto coalitions = takes_all(features, baselines)
                                    ? all_coalitions(features, baselines)
                                    : drawn_coalitions(features, perturbations_ - ends, record);
        const std::int64_t count = coalitions.size(0);
        auto from = torch::zeros({ends + count}, torch::kInt64);
        from.slice(0, 1, ends).copy_(torch::arange(baselines));
        if (takes_all(features, baselines))
            from.slice(0, ends).copy_(torch::arange(count).remainder(baselines));
        else  // a coalition and its complement share a baseline
            from.slice(0, ends).copy_(torch::arange(count).div(2, "floor").remainder(baselines));
        return {torch::cat({torch::ones({1, features}, torch::kFloat64),
                            torch::zeros({baselines, features}, torch::kFloat64), coalitions}),
                from};
    }

    LinearFit solve(const PerturbedCopies& copies, const torch::Tensor& outputs) const override {
        const std::int64_t features = copies.masks.size(1);
        const std::int64_t baselines = copies.baselines.max().item<std::int64_t>() + 1;
        const auto full = outputs[0];
        const auto empty = outputs.slice(0, 1, 1 + baselines).mean(0);
        if (features == 1) {
            const auto r2 = torch::full({outputs.size(1)}, std::nan(""), torch::kFloat64);
            return {(full - empty).unsqueeze(1), r2};
        }
        const auto masks = copies.masks.slice(0, 1 + baselines);
        const auto weights =
            takes_all(features, baselines) ? kernel_weights(masks) : torch::ones({masks.size(0)}, torch::kFloat64);
        const auto fit = fit_constrained(masks, outputs.slice(0, 1 + baselines), weights, empty, full);
        return {fit.coefficients, fit.r2};
    }

private:
    bool takes_all(std::int64_t features, std::int64_t baselines) const {
        if (features >= 32) return false;
        return ((std::int64_t{1} << features) - 2) * baselines + 1 + baselines <= perturbations_;
    }

    /// Every coalition but the empty and the full one, with each baseline: [(2^D - 2) B, D].
    static torch::Tensor all_coalitions(std::int64_t features, std::int64_t baselines) {
        const std::int64_t count = (std::int64_t{1} << features) - 2;
        const auto numbers = torch::arange(1, count + 1).unsqueeze(1);
        const auto members = numbers.bitwise_right_shift(torch::arange(features)).bitwise_and(1).to(torch::kFloat64);
        return members.repeat_interleave(baselines, 0);
    }

    /// `count` coalitions, rounded down to pairs of a coalition and its complement: [2 (count / 2), D].
    torch::Tensor drawn_coalitions(std::int64_t features, std::int64_t count, std::int64_t record) const {
        if (count < 2 * features)
            throw JobError(FailureClass::kInvalid,
                           fmt::format("kernel_shap needs at least two perturbations for each of {} parts: raise "
                                       "explain.perturbations (now {}) or lower explain.segments",
                                       features, perturbations_));
        auto masks = torch::zeros({count / 2 * 2, features}, torch::kFloat64);
        double* row = masks.data_ptr<double>();
        at::philox_engine random(static_cast<std::uint64_t>(seed_), static_cast<std::uint64_t>(record));
        const auto cumulated = cumulated_sizes(features);
        std::vector<std::int64_t> parts(static_cast<std::size_t>(features));
        std::iota(parts.begin(), parts.end(), 0);
        for (std::int64_t pair = 0; pair < count / 2; ++pair, row += 2 * features) {
            const double place = random() * 0x1p-32;
            const auto drawn = std::upper_bound(cumulated.begin(), cumulated.end(), place) - cumulated.begin();
            const auto size = std::min<std::ptrdiff_t>(drawn + 1, features - 1);
            for (std::ptrdiff_t i = 0; i < size; ++i)  // the start of a Fisher-Yates shuffle
                std::swap(
                    parts[static_cast<std::size_t>(i)],
                    parts[static_cast<std::size_t>(i) + uniform(random, static_cast<std::uint32_t>(features - i))]);
            std::fill(row + features, row + 2 * features, 1.0);
            for (std::ptrdiff_t i = 0; i < size; ++i) {
                row[parts[static_cast<std::size_t>(i)]] = 1;
                row[features + parts[static_cast<std::size_t>(i)]] = 0;
            }
        }
        return masks;
    }

    /// The kernel of each coalition: (D - 1) / (binomial(D, s) s (D - s)), by logarithms of the gamma function.
    static torch::Tensor kernel_weights(const torch::Tensor& masks) {
        const auto d = static_cast<double>(masks.size(1));
        const auto s = masks.sum(1);
        const auto log_binomial = std::lgamma(d + 1) - torch::lgamma(s + 1) - torch::lgamma(d - s + 1);
        return (d - 1) / (log_binomial.exp() * s * (d - s));
    }

    std::int64_t perturbations_;
    std::int64_t seed_;
};

}  // namespace

std::unique_ptr<ExplainMethod> make_kernel_shap(const ExplainSpec& spec, std::int64_t seed) {
    return std::make_unique<KernelShap>(spec, seed);
}

}  // namespace leadsweep

#include <ATen/core/PhiloxRNGEngine.h>

#include "worker/explain/linear_fit.hpp"
#include "worker/explain/method.hpp"

namespace leadsweep {
namespace {

class Lime final : public ExplainMethod {
public:
    Lime(const ExplainSpec& spec, std::int64_t seed) : spec_(spec), seed_(seed) {}

    PerturbedCopies copies(std::int64_t features, std::int64_t baselines, std::int64_t record) const override {
        return {lime_masks(spec_.perturbations, features, seed_, record),
                torch::arange(spec_.perturbations, torch::kInt64).remainder(baselines)};
    }

    LinearFit solve(const PerturbedCopies& copies, const torch::Tensor& outputs) const override {
        const auto fit =
            fit_weighted_ridge(copies.masks, outputs, lime_weights(copies.masks, spec_.kernel_width), spec_.ridge);
        return {fit.coefficients, fit.r2};
    }

private:
    ExplainSpec spec_;
    std::int64_t seed_;
};

}  // namespace

std::unique_ptr<ExplainMethod> make_lime(const ExplainSpec& spec, std::int64_t seed) {
    return std::make_unique<Lime>(spec, seed);
}

torch::Tensor lime_masks(std::int64_t perturbations, std::int64_t features, std::int64_t seed, std::int64_t record) {
    auto masks = torch::ones({perturbations, features}, torch::kFloat64);
    at::philox_engine coin(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(record));
    double* next = masks.data_ptr<double>() + features;
    std::uint32_t bits = 0;
    for (std::int64_t i = 0; i < (perturbations - 1) * features; ++i) {
        if (i % 32 == 0) bits = coin();
        *next++ = (bits >> (i % 32)) & 1U;
    }
    return masks;
}

torch::Tensor lime_weights(const torch::Tensor& masks, double kernel_width) {
    const auto distance = 1 - (masks.sum(1) / static_cast<double>(masks.size(1))).sqrt();
    return torch::exp(-distance.square() / (2 * kernel_width * kernel_width));
}

}  // namespace leadsweep

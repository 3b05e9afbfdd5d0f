#include <cmath>

#include "worker/explain/method.hpp"

namespace leadsweep {
namespace {

class Occlusion final : public ExplainMethod {
public:
    PerturbedCopies copies(std::int64_t features, std::int64_t baselines, std::int64_t) const override {
        const auto each = (1 - torch::eye(features, torch::kFloat64)).repeat_interleave(baselines, 0);
        const auto from = torch::arange(features * baselines, torch::kInt64).remainder(baselines);
        return {torch::cat({torch::ones({1, features}, torch::kFloat64), each}),
                torch::cat({torch::zeros({1}, torch::kInt64), from})};
    }

    LinearFit solve(const PerturbedCopies& copies, const torch::Tensor& outputs) const override {
        const auto masked = outputs.slice(0, 1).view({copies.masks.size(1), -1, outputs.size(1)}).mean(1);  // [D, K]
        return {(outputs[0] - masked).t().contiguous(), torch::full({outputs.size(1)}, std::nan(""), torch::kFloat64)};
    }
};

}  // namespace

std::unique_ptr<ExplainMethod> make_occlusion(const ExplainSpec&, std::int64_t) {
    return std::make_unique<Occlusion>();
}

}  // namespace leadsweep

#include "worker/explain/faithfulness.hpp"

#include <cmath>

#include <ATen/core/PhiloxRNGEngine.h>

namespace leadsweep {
namespace {

constexpr std::int64_t kSteps = 10;

/// Masks [2 (kSteps - 1), D] that delete, then insert, ever more parts of `order` [D].
torch::Tensor curve_masks(const torch::Tensor& order) {
    const std::int64_t parts = order.size(0);
    auto masks = torch::ones({2, kSteps - 1, parts}, torch::kFloat64);
    for (std::int64_t step = 1; step < kSteps; ++step) {
        const auto first = order.slice(0, 0, step * parts / kSteps);
        masks[0][step - 1].index_fill_(0, first, 0);
        masks[1][step - 1].fill_(0).index_fill_(0, first, 1);
    }
    return masks.view({-1, parts});
}

torch::Tensor random_order(std::int64_t parts, std::int64_t seed, std::int64_t record) {
    at::philox_engine random(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(record),
                             std::uint64_t{1} << 40U);  // far behind what masks are drawn from
    auto keys = torch::empty({parts}, torch::kInt64);
    for (std::int64_t i = 0; i < parts; ++i) keys.data_ptr<std::int64_t>()[i] = random();
    return keys.argsort(/*stable=*/true);
}

}  // namespace

torch::Tensor measure_faithfulness(MaskedRecord& masked, const torch::Tensor& coefficients,
                                   std::span<const std::int64_t> classes, std::int64_t seed, std::int64_t record) {
    auto figures = torch::full({coefficients.size(0), kFaithfulnessFigures}, std::nan(""), torch::kFloat64);
    if (classes.empty()) return figures;
    const std::int64_t parts = masked.features();
    std::vector<torch::Tensor> masks{torch::ones({1, parts}, torch::kFloat64),
                                     torch::zeros({1, parts}, torch::kFloat64),
                                     curve_masks(random_order(parts, seed, record))};
    for (const std::int64_t k : classes)
        masks.push_back(curve_masks(coefficients[k].reshape({-1}).argsort(/*stable=*/true, 0, /*descending=*/true)));
    const auto all = torch::cat(masks);
    const auto outputs = masked.outputs({all, torch::zeros({all.size(0)}, torch::kInt64)}, {});
    const auto curves = outputs.slice(0, 2).view({-1, 2, kSteps - 1, outputs.size(1)}).mean(2);  // [1 + classes, 2, K]
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const std::int64_t k = classes[i];
        const auto own = static_cast<std::int64_t>(i) + 1;
        figures[k][0] = outputs[0][k] - curves[own][0][k];
        figures[k][1] = outputs[0][k] - curves[0][0][k];
        figures[k][2] = curves[own][1][k] - outputs[1][k];
        figures[k][3] = curves[0][1][k] - outputs[1][k];
    }
    return figures;
}

}  // namespace leadsweep

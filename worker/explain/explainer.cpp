#include "worker/explain/explainer.hpp"

#include <ATen/core/PhiloxRNGEngine.h>
#include <fmt/format.h>

#include "worker/model/predict.hpp"

namespace leadsweep {
namespace {

/// Logits [P, K] (CPU, float64) of one record under masks [P, L * S].
class MaskedRecord {
public:
    MaskedRecord(Model& model, const ExplainSpec& spec, const RecordSource& records, std::int32_t record)
        : model_(model), leads_(records.leads()), segments_(spec.segments) {
        const std::int64_t samples = records.samples();
        if (segments_ > samples)
            throw JobError(FailureClass::kInvalid,
                           fmt::format("explain.segments: {} parts of a window of {} samples", segments_, samples));
        const auto signal = gather_records(records, {&record, 1})[0].to(model.device());  // [L, T]
        baseline_ = spec.baseline == "lead_mean" ? signal.mean(1, /*keepdim=*/true)
                                                 : torch::zeros({leads_, 1}, signal.options());
        deviation_ = signal - baseline_;
        auto segment_of_sample = torch::empty({samples}, torch::kInt64);
        for (std::int64_t s = 0; s < segments_; ++s)
            segment_of_sample.slice(0, s * samples / segments_, (s + 1) * samples / segments_).fill_(s);
        segment_of_sample_ = segment_of_sample.to(model.device());
    }

    std::int64_t features() const { return leads_ * segments_; }

    torch::Tensor logits(const torch::Tensor& masks, const std::function<void(double)>& on_progress) {
        const torch::NoGradGuard no_grad;
        const auto on_device = masks.to(model_.device(), torch::kFloat32).view({-1, leads_, segments_});
        std::vector<torch::Tensor> logits;
        const std::int64_t count = masks.size(0);
        for (std::int64_t first = 0; first < count; first += kInferenceBatch) {
            const std::int64_t end = std::min(count, first + kInferenceBatch);
            const auto kept = on_device.slice(0, first, end).index_select(2, segment_of_sample_);  // [b, L, T]
            logits.push_back(
                model_.forward(torch::addcmul(baseline_, kept, deviation_)).to(torch::kCPU, torch::kFloat64));
            if (on_progress) on_progress(static_cast<double>(end) / static_cast<double>(count));
        }
        return torch::cat(logits);
    }

    torch::Tensor by_part(const torch::Tensor& coefficients) const {
        return coefficients.view({-1, leads_, segments_});
    }

private:
    Model& model_;
    std::int64_t leads_;
    std::int64_t segments_;
    torch::Tensor baseline_;   ///< [L, 1]
    torch::Tensor deviation_;  ///< [L, T]: signal - baseline
    torch::Tensor segment_of_sample_;
};

class Lime final : public Explainer {
public:
    Lime(std::shared_ptr<Model> model, const ExplainSpec& spec, std::int64_t seed)
        : model_(std::move(model)), spec_(spec), seed_(seed) {}

    Explanation explain(const RecordSource& records, std::int32_t record,
                        const std::function<void(double)>& on_progress) override {
        MaskedRecord masked(*model_, spec_, records, record);
        const auto masks = lime_masks(spec_.perturbations, masked.features(), seed_, record);
        const auto logits = masked.logits(masks, on_progress);
        const auto fit = fit_weighted_ridge(masks, logits, lime_weights(masks, spec_.kernel_width), spec_.ridge);
        return {masked.by_part(fit.coefficients), fit.r2};
    }

private:
    std::shared_ptr<Model> model_;
    ExplainSpec spec_;
    std::int64_t seed_;
};

class Occlusion final : public Explainer {
public:
    Occlusion(std::shared_ptr<Model> model, const ExplainSpec& spec) : model_(std::move(model)), spec_(spec) {}

    Explanation explain(const RecordSource& records, std::int32_t record,
                        const std::function<void(double)>& on_progress) override {
        MaskedRecord masked(*model_, spec_, records, record);
        const auto parts = masked.features();
        const auto masks = torch::cat({torch::ones({1, parts}), 1 - torch::eye(parts)});
        const auto logits = masked.logits(masks, on_progress);
        const auto drops = (logits[0] - logits.slice(0, 1)).t().contiguous();  // [K, L * S]
        return {masked.by_part(drops), torch::zeros({drops.size(0)}, torch::kFloat64)};
    }

private:
    std::shared_ptr<Model> model_;
    ExplainSpec spec_;
};

}  // namespace

std::unique_ptr<Explainer> make_lime(std::shared_ptr<Model> model, const ExplainSpec& spec, std::int64_t seed) {
    return std::make_unique<Lime>(std::move(model), spec, seed);
}

std::unique_ptr<Explainer> make_occlusion(std::shared_ptr<Model> model, const ExplainSpec& spec, std::int64_t) {
    return std::make_unique<Occlusion>(std::move(model), spec);
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

RidgeFit fit_weighted_ridge(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& weights,
                            double ridge) {
    const auto share = weights / weights.sum();
    const auto x_mean = share.matmul(x);  // [D]
    const auto y_mean = share.matmul(y);  // [K]
    const auto x_centred = x - x_mean;
    const auto y_centred = y - y_mean;
    const auto weighted = x_centred * weights.unsqueeze(1);
    const auto normal = weighted.t().matmul(x_centred) + ridge * torch::eye(x.size(1), torch::kFloat64);
    const auto [factor, info] = at::linalg_cholesky_ex(normal);
    if (info.item<int>() != 0)
        throw JobError(FailureClass::kInvalid,
                       fmt::format("the linear model of {} parts from {} perturbations is singular: raise "
                                   "explain.perturbations or explain.ridge (now {})",
                                   x.size(1), x.size(0), ridge));
    const auto solution = torch::cholesky_solve(weighted.t().matmul(y_centred), factor);  // [D, K]
    const auto unexplained = (weights.unsqueeze(1) * (y_centred - x_centred.matmul(solution)).square()).sum(0);
    const auto total = (weights.unsqueeze(1) * y_centred.square()).sum(0);
    const auto r2 = torch::where(total > 0, 1 - unexplained / total, torch::zeros_like(total));
    return {solution.t().contiguous(), y_mean - x_mean.matmul(solution), r2};
}

}  // namespace leadsweep

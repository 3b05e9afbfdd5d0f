// Explanations against a network whose truth is known: not linear, with graded weights of every lead and segment.
#include <bit>
#include <cmath>
#include <numeric>

#include "tests/worker/records_in_memory.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/explain/electrodes.hpp"
#include "worker/explain/explainer.hpp"
#include "worker/explain/faithfulness.hpp"
#include "worker/registry.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

/// logit_k = 6 tanh(u / 6) with u = sum over leads and segments of weight[k, l, s] * mean |signal| of that part; in
/// float64. Truth: weight * mean |signal|.
class GradedModel final : public Model {
public:
    explicit GradedModel(torch::Tensor weights) { weights_ = register_parameter("weights", std::move(weights), false); }

    /// [B, L, S]
    torch::Tensor part_means(const torch::Tensor& records) const {
        const std::int64_t segments = weights_.size(2);
        std::vector<torch::Tensor> means;
        for (std::int64_t s = 0; s < segments; ++s) {
            const std::int64_t samples = records.size(2);
            means.push_back(records.slice(2, s * samples / segments, (s + 1) * samples / segments).abs().mean(2));
        }
        return torch::stack(means, 2);
    }
    torch::Tensor forward(const torch::Tensor& records) override {
        const auto u = torch::einsum("bls,kls->bk", {part_means(records.to(torch::kFloat64)), weights_});
        return 6 * (u / 6).tanh();
    }
    std::shared_ptr<Model> fold() const override { return std::make_shared<GradedModel>(weights_.clone()); }
    const torch::Tensor& weights() const { return weights_; }

private:
    torch::Tensor weights_;  ///< [K, L, S], float64
};

/// Evenly graded weights from -1 to 1, shuffled.
torch::Tensor graded(std::int64_t classes, std::int64_t leads, std::int64_t segments) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{5});
    const auto ladder = torch::linspace(-1, 1, leads * segments, torch::kFloat64);
    std::vector<torch::Tensor> of_class;
    for (std::int64_t k = 0; k < classes; ++k)
        of_class.push_back(ladder.index_select(0, torch::randperm(leads * segments, generator, torch::kInt64)));
    return torch::stack(of_class).view({classes, leads, segments});
}

torch::Tensor noise(std::int64_t records, std::int64_t leads, std::int64_t samples) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{8});
    return torch::empty({records, leads, samples}).normal_(0, 1, generator);
}

JobSpec spec_of(const std::string& method, std::int64_t leads, std::int64_t segments) {
    JobSpec spec;
    spec.data.leads.resize(static_cast<std::size_t>(leads));
    spec.explain.method = method;
    spec.explain.segments = segments;
    spec.explain.baseline = "zero";
    return spec;
}

double spearman(const torch::Tensor& a, const torch::Tensor& b) {
    const auto ranks = [](const torch::Tensor& x) { return x.reshape({-1}).argsort().argsort().to(torch::kFloat64); };
    return torch::corrcoef(torch::stack({ranks(a), ranks(b)}))[0][1].item<double>();
}

/// Shapley values [D] of v, given for all 2^D coalitions, by their definition.
std::vector<double> shapley(const std::vector<double>& v, std::size_t features) {
    std::vector<double> values(features, 0);
    std::vector<double> share(features);  // s! (D - s - 1)! / D!
    for (std::size_t s = 0; s < features; ++s)
        share[s] = std::exp(std::lgamma(static_cast<double>(s) + 1) + std::lgamma(static_cast<double>(features - s)) -
                            std::lgamma(static_cast<double>(features) + 1));
    for (std::size_t coalition = 0; coalition < v.size(); ++coalition)
        for (std::size_t i = 0; i < features; ++i)
            if ((coalition >> i & 1U) == 0)
                values[i] += share[static_cast<std::size_t>(std::popcount(coalition))] *
                             (v[coalition | std::size_t{1} << i] - v[coalition]);
    return values;
}

}  // namespace

TEST_CASE("Maps of a graded model rank leads and segments as its weights do", "[explain]") {
    const std::string method = GENERATE("lime", "kernel_shap", "occlusion");
    const auto signals = noise(1, 12, 1003);  // 10 segments do not divide it
    const auto model = std::make_shared<GradedModel>(graded(3, 12, 10));
    const auto explainer = make_explainer(spec_of(method, 12, 10), model, {});
    const auto explanation = explainer->explain(RecordsInMemory(signals), 0);
    const auto truth = model->weights() * model->part_means(signals.to(torch::kFloat64))[0];
    for (std::int64_t k = 0; k < 3; ++k) {
        INFO(method << ", class " << k << ": Spearman " << spearman(explanation.coefficients[k], truth[k]));
        CHECK(spearman(explanation.coefficients[k], truth[k]) >= 0.95);
    }
}

TEST_CASE("Kernel SHAP equals the definition of Shapley values, and always sums to the output difference",
          "[explain]") {
    constexpr std::int64_t kFeatures = 12;
    const auto signals = noise(1, 3, 40);
    const auto model = std::make_shared<GradedModel>(3 * graded(2, 3, 4));
    const RecordsInMemory records(signals);
    const auto numbers = torch::arange(1 << kFeatures).unsqueeze(1);
    const auto members = numbers.bitwise_right_shift(torch::arange(kFeatures)).bitwise_and(1);
    const auto kept = members.view({-1, 3, 4}).repeat_interleave(10, 2).to(torch::kFloat32);
    const auto outputs = model->forward(kept * signals);  // [2^D, K]

    JobSpec spec = spec_of("kernel_shap", 3, 4);
    spec.explain.perturbations = 5000;  // all 4094 coalitions
    const auto exact = make_explainer(spec, model, {})->explain(records, 0).coefficients;
    spec.explain.perturbations = 2000;  // draws
    const auto drawn = make_explainer(spec, model, {})->explain(records, 0).coefficients;
    for (std::int64_t k = 0; k < 2; ++k) {
        const auto of_class = outputs.select(1, k).contiguous();
        const auto truth = torch::tensor(
            shapley({of_class.const_data_ptr<double>(), of_class.const_data_ptr<double>() + of_class.numel()},
                    kFeatures),
            torch::kFloat64);
        CHECK((exact[k].view({-1}) - truth).abs().max().item<double>() < 1e-9);
        CHECK(((drawn[k].view({-1}) - truth).norm() / truth.norm()).item<double>() < 0.05);
        const double difference = (of_class[-1] - of_class[0]).item<double>();
        CHECK(exact[k].sum().item<double>() == Approx(difference).margin(1e-6));
        CHECK(drawn[k].sum().item<double>() == Approx(difference).margin(1e-6));
    }
}

TEST_CASE("A faithful explanation changes the output faster than a random order, a wrong one slower", "[explain]") {
    const auto signals = noise(1, 12, 1000);
    const auto model = std::make_shared<GradedModel>(graded(2, 12, 10));
    const RecordsInMemory records(signals);
    const JobSpec spec = spec_of("occlusion", 12, 10);
    const auto rows = mask_rows(spec);
    MaskedRecord masked(*model, spec, rows, records, 0, equal_parts(1000, 10), 10, {});
    const auto truth = model->weights() * model->part_means(signals.to(torch::kFloat64))[0];
    const std::vector<std::int64_t> asked{1};
    const auto good = measure_faithfulness(masked, truth, asked, 1, 0);
    CHECK(good[0].isnan().all().item<bool>());
    const auto bad = measure_faithfulness(masked, -truth, asked, 1, 0);
    const auto at = [](const torch::Tensor& figures, std::int64_t i) { return figures[1][i].item<double>(); };
    CHECK(at(good, 0) > at(good, 1) + 1);
    CHECK(at(good, 2) > at(good, 3) + 1);
    CHECK(at(bad, 0) < at(bad, 1) - 1);
    CHECK(at(good, 1) == at(bad, 1));  // the same random order
    const auto explanation = make_explainer(spec, model, {})->explain(records, 0, asked);
    CHECK(at(explanation.faithfulness, 0) > 0.9 * at(good, 0));
}

TEST_CASE("With one part SHAP is the whole difference", "[explain]") {
    const auto signals = noise(1, 1, 40);
    const auto model = std::make_shared<GradedModel>(torch::ones({1, 1, 1}, torch::kFloat64));
    const auto explanation =
        make_explainer(spec_of("kernel_shap", 1, 1), model, {})->explain(RecordsInMemory(signals), 0);
    CHECK(explanation.coefficients.item<double>() == Approx(model->forward(signals).item<double>()));
}

TEST_CASE("Masking an electrode changes every lead that hangs on it, and keeps the leads consistent", "[explain]") {
    // The network tells the sum of squares of II - I - III and of aVR + (I + II) / 2, and one lead's mean.
    class Consistency final : public Model {
    public:
        Consistency() { register_parameter("none", torch::zeros({1}), false); }
        torch::Tensor forward(const torch::Tensor& x) override {
            const auto lead = [&](std::int64_t i) { return x.select(1, i); };
            const auto broken =
                (lead(1) - lead(0) - lead(2)).square().sum(1) + (lead(3) + (lead(0) + lead(1)) / 2).square().sum(1);
            return torch::stack({broken, lead(2).mean(1), lead(6).mean(1)}, 1);
        }
        std::shared_ptr<Model> fold() const override { return nullptr; }
    };
    JobSpec spec;
    spec.explain.method = "occlusion";
    spec.explain.space = "electrodes";
    spec.explain.segments = 1;
    spec.explain.baseline = "zero";
    const ElectrodeMaps maps = electrode_maps(spec.data.leads);
    const auto to_leads = torch::tensor(torch::ArrayRef<float>(maps.to_leads)).view({9, 12});
    auto potentials = noise(2, 9, 64) + 10;
    potentials[1].copy_(potentials[0]);
    auto signals = potentials.transpose(1, 2).matmul(to_leads).transpose(1, 2).contiguous();
    signals[1][2].add_(noise(1, 1, 64)[0][0]);  // III was changed alone
    const RecordsInMemory records(signals);
    const auto explainer = make_explainer(spec, std::make_shared<Consistency>(), {});
    CHECK(explainer->rows() == electrode_names());
    const auto explanation = explainer->explain(records, 0);
    const auto parts = explanation.coefficients.view({3, 9});
    CHECK(parts[0].abs().max().item<double>() < 1e-6);
    // III = LL - LA, against the Wilson terminal.
    const auto wilson = potentials[0].slice(0, 0, 3).mean(0);
    const double la = (potentials[0][1] - wilson).mean().item<double>();
    const double ll = (potentials[0][2] - wilson).mean().item<double>();
    const double ra = (potentials[0][0] - wilson).mean().item<double>();
    CHECK(parts[1][0].item<double>() == Approx(0).margin(1e-4));
    CHECK(parts[1][1].item<double>() == Approx(-la).margin(1e-4));
    CHECK(parts[1][2].item<double>() == Approx(ll).margin(1e-4));
    // V1 hangs on its own electrode, and by a third on each limb's, through the terminal.
    const double v1 = (potentials[0][3] - wilson).mean().item<double>();
    CHECK(parts[2][0].item<double>() == Approx(-ra / 3).margin(1e-4));
    CHECK(parts[2][3].item<double>() == Approx(v1).margin(1e-4));
    CHECK(parts[2][4].item<double>() == Approx(0).margin(1e-4));
    CHECK(explainer->explain(records, 1).refusal == Refusal::kInconsistentLeads);
}

TEST_CASE("Parts of beats are explained where beats are found", "[explain]") {
    JobSpec spec;
    spec.data.leads = {"I", "II"};
    spec.sampling_hz = 100;
    spec.explain.method = "occlusion";
    spec.explain.align = "beats";
    spec.explain.baseline = "zero";
    auto signals = torch::zeros({2, 2, 500});
    for (std::int64_t r = 40; r < 500; r += 80) {  // triangles of 6 samples in lead II
        for (std::int64_t d = -3; d <= 3; ++d)
            signals[0][1][r + d].fill_(1000 * (1 - std::abs(static_cast<double>(d)) / 4));
    }
    class Sum final : public Model {
    public:
        Sum() { register_parameter("none", torch::zeros({1}), false); }
        torch::Tensor forward(const torch::Tensor& x) override { return x.sum({1, 2}).unsqueeze(1); }
        std::shared_ptr<Model> fold() const override { return nullptr; }
    };
    const auto explainer = make_explainer(spec, std::make_shared<Sum>(), {});
    REQUIRE(explainer->segments() == 4);
    const auto parts = explainer->explain(RecordsInMemory(signals), 0).coefficients[0];
    const double total = signals[0].sum().item<double>();
    CHECK(parts[1][1].item<double>() == Approx(total));  // QRS of lead II
    CHECK(parts.abs().sum().item<double>() == Approx(total));
    CHECK(explainer->explain(RecordsInMemory(signals), 1).refusal == Refusal::kNoBeats);
}

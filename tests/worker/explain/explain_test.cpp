#include "worker/explain/explainer.hpp"

#include "shared/arrays/safetensors.hpp"
#include "tests/worker/gang.hpp"
#include "tests/worker/records_in_memory.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/explain/importance.hpp"
#include "worker/registry.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

torch::Tensor to_tensor(const NamedArray& array) {
    return torch::tensor(torch::ArrayRef<double>(array.values<double>()), torch::kFloat64).view(array.shape);
}

/// Logits linear in the signal: logit_k = sum of weight[k] * signal. Explanations are known exactly.
class LinearModel final : public Model {
public:
    explicit LinearModel(torch::Tensor weights) { weights_ = register_parameter("weights", std::move(weights), false); }
    torch::Tensor forward(const torch::Tensor& records) override {
        return torch::einsum("blt,klt->bk", {records, weights_});
    }
    std::shared_ptr<Model> fold() const override { return std::make_shared<LinearModel>(weights_.clone()); }

private:
    torch::Tensor weights_;  ///< [K, L, T]
};

ExplainSpec small_spec(const std::string& baseline) {
    ExplainSpec spec;
    spec.segments = 5;  // of 32 samples: parts of 6 and 7
    spec.perturbations = 200;
    spec.baseline = baseline;
    spec.ridge = 0;
    return spec;
}

/// What each part of a record adds to each logit of a linear model, against the baseline: [K, L, S].
torch::Tensor true_parts(const torch::Tensor& weights, const torch::Tensor& signal, const ExplainSpec& spec) {
    const auto baseline = spec.baseline == "zero" ? torch::zeros({3, 1}) : signal.mean(1, true);
    const auto per_sample = (weights * (signal - baseline)).to(torch::kFloat64);
    std::vector<torch::Tensor> parts;
    for (std::int64_t s = 0; s < spec.segments; ++s)
        parts.push_back(per_sample.slice(2, s * 32 / spec.segments, (s + 1) * 32 / spec.segments).sum(2));
    return torch::stack(parts, 2);
}

bool close(const torch::Tensor& a, const torch::Tensor& b, double tolerance) {
    return a.sizes() == b.sizes() && (a - b).abs().max().item<double>() < tolerance;
}

}  // namespace

TEST_CASE("The weighted ridge equals scikit-learn's", "[explain]") {
    const auto file = load_arrays(LEADSWEEP_SOURCE_DIR "/tests/reference/ridge/ridge.safetensors");
    const auto masks = to_tensor(file.at("masks"));
    const auto weights = lime_weights(masks, std::stod(file.metadata.at("kernel_width")));
    CHECK(close(weights, to_tensor(file.at("weights")), 1e-12));
    const auto fit =
        fit_weighted_ridge(masks, to_tensor(file.at("outcomes")), weights, std::stod(file.metadata.at("ridge")));
    CHECK(close(fit.coefficients, to_tensor(file.at("coefficients")), 1e-8));
    CHECK(close(fit.intercepts, to_tensor(file.at("intercepts")), 1e-8));
    CHECK(close(fit.r2, to_tensor(file.at("r2")), 1e-8));
}

TEST_CASE("A linear model that cannot be determined is an error that names what to raise", "[explain]") {
    const auto x = torch::ones({3, 5}, torch::kFloat64);
    CHECK_THROWS_AS(fit_weighted_ridge(x, torch::ones({3, 1}, torch::kFloat64), torch::ones({3}, torch::kFloat64), 0),
                    JobError);
    const auto fit = fit_weighted_ridge(x, torch::ones({3, 1}, torch::kFloat64), torch::ones({3}, torch::kFloat64), 1);
    CHECK(fit.r2.item<double>() == 0);
}

TEST_CASE("Masks depend on seed and record alone and are fair", "[explain]") {
    const auto masks = lime_masks(1200, 120, 1, 17);
    CHECK(torch::equal(masks, lime_masks(1200, 120, 1, 17)));
    CHECK(torch::equal(masks.slice(0, 0, 50), lime_masks(50, 120, 1, 17)));
    CHECK_FALSE(torch::equal(masks, lime_masks(1200, 120, 1, 18)));
    CHECK_FALSE(torch::equal(masks, lime_masks(1200, 120, 2, 17)));
    CHECK(masks[0].min().item<double>() == 1);
    CHECK(masks.slice(0, 1).mean().item<double>() == Approx(0.5).margin(0.01));
    CHECK((masks.slice(0, 1).mean(0) - 0.5).abs().max().item<double>() < 0.1);
    CHECK(((masks == 0) | (masks == 1)).all().item<bool>());
}

TEST_CASE("Explanations of a linear model are its parts", "[explain]") {
    const std::string method = GENERATE("lime", "occlusion");
    JobSpec spec;
    spec.explain = small_spec(GENERATE("lead_mean", "zero"));
    spec.explain.method = method;
    const SmallProblem problem;
    const RecordsInMemory records(problem.signals);
    const auto weights = torch::randn({2, 3, 32});
    const auto explainer = make_explainer(spec, std::make_shared<LinearModel>(weights));
    double progress = 0;
    const auto explanation = explainer->explain(records, 4, [&](double fraction) { progress = fraction; });
    CHECK(progress == 1);
    CHECK(close(explanation.coefficients, true_parts(weights, problem.signals[4], spec.explain), 1e-4));
    if (method == "lime") CHECK(explanation.r2.min().item<double>() > 0.999999);
}

TEST_CASE("More segments than samples are refused", "[explain]") {
    JobSpec spec;
    spec.explain = small_spec("zero");
    spec.explain.segments = 33;
    const SmallProblem problem;
    const auto explainer = make_explainer(spec, std::make_shared<LinearModel>(torch::randn({2, 3, 32})));
    CHECK_THROWS_AS(explainer->explain(RecordsInMemory(problem.signals), 0), JobError);
}

TEST_CASE("Labelled positives of the tested list are explained, each once, the same ones every time", "[explain]") {
    const SmallProblem problem;
    const auto plan = plan_explanations(problem.lists, 3, 5);
    std::size_t asked = 0;
    for (std::size_t k = 0; k < 3; ++k) {
        std::size_t positives = 0;
        for (const auto record : problem.lists.test)
            positives += problem.lists.labels[static_cast<std::size_t>(record) * 3 + k];
        CHECK(plan.records_of_class[k].size() == std::min<std::size_t>(3, positives));
        for (const auto record : plan.records_of_class[k]) {
            CHECK(problem.lists.labels[static_cast<std::size_t>(record) * 3 + k] == 1);
            CHECK(std::binary_search(plan.records.begin(), plan.records.end(), record));
        }
        asked += plan.records_of_class[k].size();
    }
    CHECK(plan.records.size() < asked);  // some serve two classes
    CHECK(plan_explanations(problem.lists, 3, 5).records == plan.records);
    auto reversed = problem.lists;
    std::reverse(reversed.test.begin(), reversed.test.end());
    CHECK(plan_explanations(reversed, 3, 5).records == plan.records);
    CHECK(plan_explanations(problem.lists, 3, 6).records != plan.records);
}

TEST_CASE("Importance is the mean over explained records of each class", "[explain]") {
    ExplainPlan plan;
    plan.records = {3, 8, 9};
    plan.records_of_class = {{3, 9}, {}, {8}};
    const auto made = [](double value, double r2) {
        return Explanation{torch::full({3, 2, 2}, value, torch::kFloat64), torch::full({3}, r2, torch::kFloat64)};
    };
    std::vector<Explanation> explanations{made(1, 0.5), made(7, 0.6), made(-4, 0.9)};
    explanations[0].coefficients[0][1][0] = 2;
    const auto rows = aggregate(plan, explanations, {"a", "b", "c"}, {"I", "V6"});
    REQUIRE(rows.size() == 8);
    CHECK(rows[0].class_code == "a");
    CHECK(rows[0].lead == "I");
    CHECK(rows[0].importance == Approx(-1.5));
    CHECK(rows[0].magnitude == Approx(2.5));
    CHECK(rows[0].sd == Approx(5 / std::sqrt(2.0)));
    CHECK(rows[0].n == 2);
    CHECK(rows[0].r2 == Approx(0.7));
    CHECK(rows[2].lead == "V6");
    CHECK(rows[2].segment == 0);
    CHECK(rows[2].importance == Approx(-1));
    CHECK(rows[4].class_code == "c");
    CHECK(rows[4].sd == 0);
    CHECK(rows[4].importance == Approx(7));
}

TEST_CASE("Several ranks explain what one explains, and stop together", "[explain]") {
    JobSpec spec;
    spec.explain = small_spec("zero");
    spec.explain.ridge = 1;
    const SmallProblem problem;
    const RecordsInMemory records(problem.signals);
    const auto weights = torch::randn({3, 3, 32});
    const auto plan = plan_explanations(problem.lists, 2, 1);
    const auto explainer = make_explainer(spec, std::make_shared<LinearModel>(weights));
    const auto expected = explain_all(*explainer, records, plan, *make_local_communicator(), {});
    REQUIRE(expected.size() == plan.records.size());
    std::atomic<int> wrong{0};
    std::atomic<int> stopped{0};
    run_gang(3, [&](Communicator& gang) {
        const auto own = make_explainer(spec, std::make_shared<LinearModel>(weights));
        const auto all = explain_all(*own, records, plan, gang, {});
        if (all.size() != expected.size()) ++wrong;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (!torch::equal(all[i].coefficients, expected[i].coefficients) ||
                !torch::equal(all[i].r2, expected[i].r2))
                ++wrong;
        try {
            explain_all(*own, records, plan, gang, {[&] { return gang.rank() == 2; }, {}});
        } catch (const JobError& error) {
            if (error.failure() == FailureClass::kInterrupted) ++stopped;
        }
    });
    CHECK(wrong == 0);
    CHECK(stopped == 3);
}

#include "worker/explain/explainer.hpp"

#include "shared/arrays/safetensors.hpp"
#include "tests/worker/gang.hpp"
#include "tests/worker/records_in_memory.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/explain/importance.hpp"
#include "worker/explain/linear_fit.hpp"
#include "worker/explain/mean_beat.hpp"
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

JobSpec small_spec(const std::string& method, const std::string& baseline) {
    JobSpec spec;
    spec.data.leads = {"I", "II", "III"};
    spec.explain.method = method;
    spec.explain.segments = 5;  // of 32 samples: parts of 6 and 7
    spec.explain.perturbations = 200;
    spec.explain.baseline = baseline;
    spec.explain.background_records = 4;
    spec.explain.ridge = 0;
    return spec;
}

const std::vector<std::int32_t> kBackground{0, 1, 2, 3};

/// What stands in the place of a masked part: [L, T], the mean over the background where there is one.
torch::Tensor baseline_of(const torch::Tensor& signals, std::int64_t record, const ExplainSpec& spec) {
    const auto signal = signals[record];
    if (spec.baseline == "zero") return torch::zeros_like(signal);
    if (spec.baseline == "lead_mean") return signal.mean(1, true).expand_as(signal);
    if (spec.baseline == "background") return signals.slice(0, 0, 4).mean(0);
    auto baseline = signal.clone();
    for (std::int64_t s = 0; s < spec.segments; ++s) {
        auto part = baseline.slice(1, s * 32 / spec.segments, (s + 1) * 32 / spec.segments);
        part.copy_(part.mean(1, true).expand_as(part).clone());
    }
    return baseline;
}

/// What each part of a record adds to each logit of a linear model, against the baseline: [K, L, S].
torch::Tensor true_parts(const torch::Tensor& weights, const torch::Tensor& signals, std::int64_t record,
                         const ExplainSpec& spec) {
    const auto per_sample = (weights * (signals[record] - baseline_of(signals, record, spec))).to(torch::kFloat64);
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
    const std::string method = GENERATE("lime", "kernel_shap", "occlusion");
    const std::string baseline = GENERATE("lead_mean", "zero", "segment_mean", "background");
    if (method == "lime" && baseline == "background") return;  // see below: copies differ by more than their masks
    const JobSpec spec = small_spec(method, baseline);
    const SmallProblem problem;
    const RecordsInMemory records(problem.signals);
    const auto weights = torch::randn({2, 3, 32});
    const auto explainer = make_explainer(spec, std::make_shared<LinearModel>(weights), kBackground);
    double progress = 0;
    const auto explanation = explainer->explain(records, 44, {}, [&](double fraction) { progress = fraction; });
    CHECK(progress == 1);
    const auto truth = true_parts(weights, problem.signals, 44, spec.explain);
    if (method == "kernel_shap" && baseline == "background") {
        CHECK(close(explanation.coefficients.sum({1, 2}), truth.sum({1, 2}), 1e-4));
        return;
    }
    CHECK(close(explanation.coefficients, truth, 1e-4));
    if (method == "occlusion")
        CHECK(explanation.r2.isnan().all().item<bool>());
    else
        CHECK(explanation.r2.min().item<double>() > 0.999999);
}

TEST_CASE("A random background blurs a linear model's parts, and more perturbations sharpen them", "[explain]") {
    const std::string method = GENERATE("lime", "kernel_shap");
    const SmallProblem problem;
    const RecordsInMemory records(problem.signals);
    const auto weights = torch::randn({2, 3, 32});
    const auto error = [&](std::int64_t perturbations) {
        JobSpec spec = small_spec(method, "background");
        spec.explain.perturbations = perturbations;
        const auto explainer = make_explainer(spec, std::make_shared<LinearModel>(weights), kBackground);
        const auto truth = true_parts(weights, problem.signals, 44, spec.explain);
        return ((explainer->explain(records, 44).coefficients - truth).norm() / truth.norm()).item<double>();
    };
    const double rough = error(200);
    const double fine = error(20000);
    CHECK(fine < rough / 3);
    CHECK(fine < 0.1);
}

TEST_CASE("Probabilities are explained where they are asked for", "[explain]") {
    JobSpec spec = small_spec("occlusion", "zero");
    spec.explain.segments = 1;
    spec.explain.target = "probability";
    const SmallProblem problem;
    const RecordsInMemory records(problem.signals);
    const auto weights = 0.1 * torch::randn({1, 3, 32});
    const auto explanation = make_explainer(spec, std::make_shared<LinearModel>(weights), {})->explain(records, 5);
    const auto of_lead = (weights[0] * problem.signals[5]).to(torch::kFloat64).sum(1);
    const auto expected = of_lead.sum().sigmoid() - (of_lead.sum() - of_lead).sigmoid();
    CHECK(close(explanation.coefficients.view({3}), expected, 1e-6));
}

TEST_CASE("A constant lead explains nothing", "[explain]") {
    const std::string method = GENERATE("kernel_shap", "occlusion");
    const JobSpec spec = small_spec(method, "lead_mean");
    SmallProblem problem;
    problem.signals[7][1].fill_(2);
    const RecordsInMemory records(problem.signals);
    const auto explanation =
        make_explainer(spec, std::make_shared<LinearModel>(torch::randn({2, 3, 32})), {})->explain(records, 7);
    CHECK(explanation.coefficients.select(1, 1).abs().max().item<double>() < 1e-3);
    CHECK(explanation.coefficients.select(1, 0).abs().max().item<double>() > 0.1);
}

TEST_CASE("More segments than samples, too few perturbations and a missing background are refused", "[explain]") {
    const SmallProblem problem;
    const RecordsInMemory records(problem.signals);
    const auto model = std::make_shared<LinearModel>(torch::randn({2, 3, 32}));
    JobSpec spec = small_spec("lime", "zero");
    spec.explain.segments = 33;
    CHECK_THROWS_AS(make_explainer(spec, model, {})->explain(records, 0), JobError);
    spec = small_spec("kernel_shap", "zero");
    spec.explain.perturbations = 25;
    CHECK_THROWS_WITH(make_explainer(spec, model, {})->explain(records, 0),
                      ContainsText("raise explain.perturbations (now 25)"));
    CHECK_THROWS_WITH(make_explainer(small_spec("lime", "background"), model, {}),
                      ContainsText("needs training records"));
}

TEST_CASE("Labelled positives of the tested list are explained, each once, the same ones every time", "[explain]") {
    const SmallProblem problem;
    ExplainSpec spec;
    spec.records_per_class = 3;
    const auto plan = plan_explanations(problem.lists, spec, 5, {});
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
    CHECK(plan_explanations(problem.lists, spec, 5, {}).records == plan.records);
    auto reversed = problem.lists;
    std::reverse(reversed.test.begin(), reversed.test.end());
    CHECK(plan_explanations(reversed, spec, 5, {}).records == plan.records);
    CHECK(plan_explanations(problem.lists, spec, 6, {}).records != plan.records);
}

TEST_CASE("True positives are those of the labelled whose logit is above 0", "[explain]") {
    const SmallProblem problem;
    ExplainSpec spec;
    spec.records = "true_positives";
    std::vector<float> logits(problem.lists.test.size() * 3, -1);
    const std::size_t row = 7;
    for (std::size_t k = 0; k < 3; ++k) logits[row * 3 + k] = 1;
    const auto plan = plan_explanations(problem.lists, spec, 1, logits);
    const std::int32_t record = problem.lists.test[row];
    for (std::size_t k = 0; k < 3; ++k) {
        const bool is_positive = problem.lists.labels[static_cast<std::size_t>(record) * 3 + k] == 1;
        CHECK(plan.records_of_class[k] == (is_positive ? std::vector{record} : std::vector<std::int32_t>{}));
    }
    spec.records = "labelled";
    CHECK(plan_explanations(problem.lists, spec, 1, logits).records.size() > 1);
}

TEST_CASE("Importance is the mean over explained records of each class", "[explain]") {
    ExplainPlan plan;
    plan.records = {3, 8, 9};
    plan.records_of_class = {{3, 9}, {}, {8}};
    const auto made = [](double value, double r2) {
        return Explanation{torch::full({3, 2, 2}, value, torch::kFloat64), torch::full({3}, r2, torch::kFloat64),
                           torch::full({3, 4}, value, torch::kFloat64)};
    };
    std::vector<Explanation> explanations{made(1, 0.5), made(7, 0.6), made(-4, 0.9)};
    explanations[0].coefficients[0][1][0] = 2;
    const auto maps = aggregate(plan, explanations, {{"a", "b", "c"}, {"I", "V6"}}, 0);
    const auto& rows = maps.rows;
    REQUIRE(maps.notes.size() == 1);
    CHECK(maps.notes[0] == "No map for 1 classes without explained positives in the tested fold: b.");
    REQUIRE(rows.size() == 8);
    CHECK(rows[0].class_code == "a");
    CHECK(rows[0].lead == "I");
    CHECK(rows[0].importance == Approx(-1.5));
    CHECK(rows[0].magnitude == Approx(2.5));
    CHECK(rows[0].sd == Approx(5 / std::sqrt(2.0)));
    CHECK(rows[0].n == 2);
    CHECK(rows[0].r2.value() == Approx(0.7));
    CHECK(rows[0].sign_agreement == 0.5);
    CHECK(rows[2].lead == "V6");
    CHECK(rows[2].segment == 0);
    CHECK(rows[2].importance == Approx(-1));
    CHECK(rows[4].class_code == "c");
    CHECK(rows[4].sd == 0);
    CHECK(rows[4].importance == Approx(7));
}

TEST_CASE("Explanations that fit poorly or were refused are left out and counted", "[explain]") {
    ExplainPlan plan;
    plan.records = {3, 8, 9};
    plan.records_of_class = {{3, 8, 9}, {3}};
    const auto made = [](double value, double r2) {
        return Explanation{torch::full({2, 1, 2}, value, torch::kFloat64), torch::full({2}, r2, torch::kFloat64),
                           torch::full({2, 4}, value, torch::kFloat64)};
    };
    std::vector<Explanation> explanations{made(5, 0.05), made(2, 0.6), {{}, {}, {}, Refusal::kNoBeats}};
    const auto maps = aggregate(plan, explanations, {{"a", "b"}, {"I"}}, 0.1);
    REQUIRE(maps.rows.size() == 4);
    CHECK(maps.rows[0].importance == 2);
    CHECK(maps.rows[0].n == 1);
    CHECK(maps.rows[0].n_dropped == 2);
    CHECK(maps.rows[2].n == 0);
    CHECK_FALSE(maps.rows[2].r2);
    CHECK(maps.rows[2].n_dropped == 1);
    REQUIRE(maps.notes.size() == 2);
    CHECK(maps.notes[0] == "1 of 3 records are not explained: no R peak was found in them.");
    CHECK_THAT(maps.notes[1], ContainsText("2 of 3 explanations"));
    REQUIRE(maps.metrics.size() == 4);  // of class a alone
    CHECK(maps.metrics[0].split == "explain");
    CHECK(maps.metrics[0].name == "deletion");
    CHECK(maps.metrics[0].value.value() == 2);
    CHECK(maps.metrics[0].n_positive == 1);
    CHECK(maps.arrays.at("records").values<std::int32_t>() == std::vector<std::int32_t>{3, 8, 3});
    CHECK(maps.arrays.at("is_dropped").values<std::uint8_t>() == std::vector<std::uint8_t>{1, 0, 1});
    CHECK(maps.arrays.at("coefficients").shape == std::vector<std::int64_t>{3, 1, 2});
    explanations.assign(3, {{}, {}, {}, Refusal::kInconsistentLeads});
    CHECK_THROWS_WITH(aggregate(plan, explanations, {{"a", "b"}, {"I"}}, 0.1), ContainsText("explain.space: leads"));
}

TEST_CASE("The mean beat of a class, and the coefficients along it, are means over its explained records",
          "[explain]") {
    JobSpec spec = small_spec("lime", "zero");
    spec.explain.align = "beats";
    spec.explain.space = GENERATE("leads", "electrodes");
    spec.sampling_hz = 100;
    // R peaks of 1 and 3 mV in lead II alone, at 1, 2, ... 9 s, on an offset.
    auto signals = torch::full({3, 3, 1000}, 200, torch::kFloat32);
    for (std::int64_t record = 0; record < 3; ++record)
        for (std::int64_t r = 100; r < 1000; r += 100)
            for (std::int64_t t = r - 4; t <= r + 4; ++t)
                for (const std::int64_t lead : {1, 2})
                    signals[record][lead][t] += (record == 1 ? 3000 : 1000) * std::exp(-0.25 * std::pow(t - r, 2));
    signals[0][2].copy_(signals[0][1] - signals[0][0]);
    signals[1][2].copy_(signals[1][1] - signals[1][0]);
    signals[2][2].copy_(signals[2][1] - signals[2][0]);
    const auto explainer = make_explainer(spec, std::make_shared<LinearModel>(torch::randn({2, 3, 1000})), {});
    ExplainPlan plan;
    plan.records = {0, 1, 2};
    plan.records_of_class = {{0, 1, 2}, {}};
    const auto made = [](double value, double r2) {
        auto coefficients = torch::zeros({2, 3, 4}, torch::kFloat64);
        coefficients[0][1][1] = value;  // second row, QRS
        return Explanation{coefficients, torch::full({2}, r2, torch::kFloat64), torch::zeros({2, 4}, torch::kFloat64)};
    };
    const std::vector<Explanation> explanations{made(2, 0.9), made(5, 0.9), made(100, 0.01)};  // the last is left out
    auto arrays = aggregate(plan, explanations, {{"a", "b"}, explainer->rows()}, spec.explain.min_r2).arrays;
    add_mean_beats(RecordsInMemory(signals), plan, explanations, *explainer, spec, arrays);
    const auto signal = arrays.at("beat_signal").values<float>();
    const auto importance = arrays.at("beat_importance").values<float>();
    const auto records = arrays.at("beat_records").values<std::int32_t>();
    REQUIRE(arrays.at("beat_signal").shape == std::vector<std::int64_t>{2, 3, kMeanBeatMoments});
    constexpr std::size_t kM = kMeanBeatMoments;
    const std::size_t r_peak = 30;  // moments of 10 ms from -300 ms
    // II = 2 mV; of the electrodes LA = (2 I - II) / 3. R peaks are found within a sample or two.
    double highest = 0;
    for (std::size_t m = r_peak - 2; m <= r_peak + 2; ++m)
        highest = std::max(highest, std::abs(static_cast<double>(signal[kM + m])));
    CHECK(highest == Approx(spec.explain.space == "leads" ? 2000 : 2000.0 / 3).epsilon(0.01));
    CHECK((signal[kM + r_peak] > 0) == (spec.explain.space == "leads"));
    CHECK(std::abs(signal[kM + r_peak + 20]) < 1);
    CHECK(importance[kM + r_peak] == Approx(3.5));
    CHECK(importance[kM + r_peak - 15] == 0);  // P
    CHECK(importance[r_peak] == 0);            // the first row
    CHECK(records[r_peak] == 2);
    CHECK(records[kM + r_peak] == 0);  // the class without positives
    CHECK(std::isnan(signal[4 * kM]));
    CHECK(arrays.metadata.at("beat_begin_s") == "-0.3");
    CHECK(arrays.metadata.at("beat_unit") == "uV");
    spec.explain.align = "window";
    ArrayFile untouched;
    untouched.arrays["records"] = arrays.at("records");
    add_mean_beats(RecordsInMemory(signals), plan, explanations, *explainer, spec, untouched);
    CHECK(untouched.arrays.size() == 1);
}

TEST_CASE("Several ranks explain what one explains, and stop together", "[explain]") {
    JobSpec spec = small_spec("lime", "zero");
    spec.explain.ridge = 1;
    spec.explain.records_per_class = 2;
    const SmallProblem problem;
    const RecordsInMemory records(problem.signals);
    const auto weights = torch::randn({3, 3, 32});
    const auto plan = plan_explanations(problem.lists, spec.explain, 1, {});
    const auto explainer = make_explainer(spec, std::make_shared<LinearModel>(weights), {});
    const auto expected = explain_all(*explainer, records, plan, *make_local_communicator(), {});
    REQUIRE(expected.size() == plan.records.size());
    std::atomic<int> wrong{0};
    std::atomic<int> stopped{0};
    run_gang(3, [&](Communicator& gang) {
        const auto own = make_explainer(spec, std::make_shared<LinearModel>(weights), {});
        const auto all = explain_all(*own, records, plan, gang, {});
        if (all.size() != expected.size()) ++wrong;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (!torch::equal(all[i].coefficients, expected[i].coefficients) ||
                !torch::equal(all[i].r2, expected[i].r2) ||
                !torch::equal(all[i].faithfulness.nan_to_num(1e9), expected[i].faithfulness.nan_to_num(1e9)))
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

#include "worker/train/loss.hpp"

#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/worker/gang.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/registry.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

nlohmann::json reference() {
    std::ifstream file(LEADSWEEP_SOURCE_DIR "/tests/reference/loss/losses.json");
    return nlohmann::json::parse(file);
}

torch::Tensor matrix(const nlohmann::json& rows) {
    const auto values = rows.get<std::vector<std::vector<double>>>();
    auto made = torch::empty({static_cast<std::int64_t>(values.size()), static_cast<std::int64_t>(values[0].size())},
                             torch::kFloat64);
    for (std::size_t i = 0; i < values.size(); ++i)
        made[static_cast<std::int64_t>(i)] = torch::tensor(torch::ArrayRef<double>(values[i]), torch::kFloat64);
    return made;
}

Loss loss_named(const std::string& name) {
    JobSpec spec;
    spec.loss = name;
    return make_train_parts(spec).loss;
}

double logit(double p) {
    return std::log(p / (1 - p));
}

}  // namespace

TEST_CASE("Losses and their gradients equal those of formulas written elsewhere", "[loss]") {
    const auto stored = reference();
    const auto alone = make_local_communicator();
    for (const auto& [name, expected] : stored.at("losses").items()) {
        CAPTURE(name);
        auto logits = matrix(stored.at("logits")).requires_grad_();
        const auto loss = loss_named(name)(logits, matrix(stored.at("targets")), logits.size(0), *alone);
        loss.backward();
        CHECK(loss.item<double>() == Approx(expected.at("value").get<double>()).epsilon(1e-12));
        CHECK((logits.grad() - matrix(expected.at("gradient"))).abs().max().item<double>() < 1e-9);
    }
}

TEST_CASE("In float32 losses agree with float64 and stay finite where outputs are sure", "[loss]") {
    const auto stored = reference();
    const auto alone = make_local_communicator();
    for (const auto& [name, expected] : stored.at("losses").items()) {
        CAPTURE(name);
        const auto targets = matrix(stored.at("targets")).to(torch::kFloat32);
        const auto logits = matrix(stored.at("logits")).to(torch::kFloat32);
        CHECK(loss_named(name)(logits, targets, logits.size(0), *alone).item<double>() ==
              Approx(expected.at("value").get<double>()).epsilon(1e-5));
        auto sure = (logits * 1000).clone().requires_grad_();
        const auto loss = loss_named(name)(sure, targets, sure.size(0), *alone);
        loss.backward();
        CHECK(std::isfinite(loss.item<double>()));
        CHECK(torch::isfinite(sure.grad()).all().item<bool>());
    }
}

// study.md section 3: a constant output on the label matrix of the study's 88,253 records.
TEST_CASE("A constant output has the losses that follow from the study's label counts", "[loss]") {
    const auto stored = reference().at("study");
    const auto counts = stored.at("counts").get<std::vector<std::int64_t>>();
    const auto records = stored.at("records").get<std::int64_t>();
    auto targets = torch::zeros({records, static_cast<std::int64_t>(counts.size())});
    for (std::size_t k = 0; k < counts.size(); ++k)
        targets.select(1, static_cast<std::int64_t>(k)).slice(0, 0, counts[k]).fill_(1);
    const auto alone = make_local_communicator();
    const auto value = [&](const std::string& loss, const torch::Tensor& logits_of_class) {
        const auto logits = logits_of_class.to(torch::kFloat64).expand({records, targets.size(1)});
        return loss_named(loss)(logits, targets, records, *alone).item<double>();
    };
    const auto constant = [&](double p) {
        return torch::full({1}, p == 0 ? -800.0 : p == 1 ? 800.0 : logit(p), torch::kFloat64);
    };
    const auto prevalence = torch::logit(targets.to(torch::kFloat64).mean(0));
    CHECK(value("double_soft_f1", constant(0)) == Approx(0.5132).margin(5e-5));
    CHECK(value("double_soft_f1", constant(0.01)) == Approx(0.5090).margin(5e-5));
    CHECK(value("double_soft_f1", constant(0.05)) == Approx(0.5075).margin(5e-5));
    CHECK(value("double_soft_f1", constant(0.5)) == Approx(0.6338).margin(5e-5));
    CHECK(value("double_soft_f1", constant(1)) == Approx(0.9570).margin(5e-5));
    CHECK(value("double_soft_f1", prevalence) == Approx(0.5).margin(1e-9));
    CHECK(value("soft_f1", constant(0)) == Approx(1.0).margin(5e-5));
    CHECK(value("soft_f1", constant(0.5)) == Approx(0.9222).margin(5e-5));
    CHECK(value("soft_f1", constant(1)) == Approx(0.9140).margin(5e-5));
    CHECK(value("soft_f1", prevalence) == Approx(0.9511).margin(5e-5));
    CHECK(value("bce", constant(0.5)) == Approx(0.6931).margin(5e-5));
    CHECK(value("bce", prevalence) == Approx(0.1598).margin(5e-5));
}

TEST_CASE("A class without positives teaches double soft F1, but not soft F1", "[loss]") {
    const auto alone = make_local_communicator();
    const auto gradient = [&](const std::string& name) {
        auto logits = torch::full({4, 1}, 0.3).requires_grad_();
        loss_named(name)(logits, torch::zeros({4, 1}), 4, *alone).backward();
        return logits.grad().abs().max().item<double>();
    };
    CHECK(gradient("soft_f1") == 0);
    CHECK(gradient("double_soft_f1") > 1e-3);
}

TEST_CASE("Shares of several ranks add up to the global loss and its gradient", "[loss]") {
    const auto stored = reference();
    const std::string name = GENERATE("bce", "focal", "soft_f1", "double_soft_f1");
    const int size = GENERATE(2, 3, 4);
    const auto logits = matrix(stored.at("logits"));
    const auto targets = matrix(stored.at("targets"));
    const auto& expected = stored.at("losses").at(name);
    std::atomic<int> wrong{0};
    run_gang(size, [&](Communicator& gang) {
        const std::int64_t first = logits.size(0) * gang.rank() / size;
        const std::int64_t end = logits.size(0) * (gang.rank() + 1) / size;
        auto mine = logits.slice(0, first, end).clone().requires_grad_();
        auto share = loss_named(name)(mine, targets.slice(0, first, end), logits.size(0), gang);
        share.backward();
        auto total = share.detach().clone();
        gang.all_reduce_sum_(total);
        if (std::abs(total.item<double>() - expected.at("value").get<double>()) > 1e-12) ++wrong;
        if (!torch::allclose(mine.grad(), matrix(expected.at("gradient")).slice(0, first, end), 0, 1e-9)) ++wrong;
    });
    CHECK(wrong == 0);
}

TEST_CASE("Positive weights multiply the positives' part of the cross-entropy", "[loss]") {
    // logits 0: each label costs ln 2, positives weight times that
    auto logits = torch::zeros({2, 2}, torch::kFloat64).requires_grad_();
    const auto targets = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}, torch::kFloat64);
    const auto alone = make_local_communicator();
    const auto loss = bce_share_weighted({3.0, 0.5})(logits, targets, 2, *alone);
    loss.backward();
    CHECK(loss.item<double>() == Approx(std::log(2.0) * (3 + 1 + 1 + 0.5) / 4));
    const auto expected = torch::tensor({{-3 * 0.5, 0.5}, {0.5, -0.5 * 0.5}}, torch::kFloat64) / 4;
    CHECK(torch::allclose(logits.grad(), expected));
}

TEST_CASE("Balanced weights are negatives over positives of the training records", "[loss]") {
    FoldLists lists;
    lists.class_count = 3;
    lists.record_count = 5;
    lists.train = {0, 1, 2, 4};
    lists.labels = {1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1};
    CHECK(balanced_weights(lists) == std::vector<double>{3.0, 1.0, 1.0});
    JobSpec spec;
    spec.train.positive_weights = "balanced";
    spec.loss = "focal";
    CHECK_THROWS_AS(make_train_parts(spec, {1.0}), JobError);
}

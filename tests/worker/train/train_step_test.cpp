#include "worker/train/train_step.hpp"

#include <atomic>
#include <limits>

#include "tests/worker/train/training_run.hpp"
#include "worker/model/layers.hpp"
#include "worker/train/autotune.hpp"
#include "worker/train/precision.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

/// Two convolutions without BatchNorm: the network on which micro-batches are exact.
class PlainNetwork final : public Model {
public:
    PlainNetwork() {
        first_ = register_module("first", std::make_shared<SameConv>(3, 6, 5, false));
        second_ = register_module("second", std::make_shared<SameConv>(6, 4, 4, false));
        head_ = register_module("head", torch::nn::Linear(4, 3));
        initialise(*this, 5);
    }
    torch::Tensor forward(const torch::Tensor& records) override {
        const auto image = as_image(records, head_->weight);
        return head_->forward(second_->forward(torch::relu(first_->forward(image))).mean({2, 3}));
    }
    std::shared_ptr<Model> fold() const override { throw std::logic_error("it has nothing to fold"); }

private:
    std::shared_ptr<SameConv> first_, second_;
    torch::nn::Linear head_{nullptr};
};

struct Stepped {
    double loss = 0;
    torch::Tensor gradient;
    torch::Tensor statistics;
};

Stepped one_step(Model& model, const Run& run, const TrainParts& parts, std::int64_t micro_batch, Communicator& gang) {
    model.to(torch::kFloat64);
    model.train();
    TrainStep step(model, parts, gang, {});
    const TrainData data = run.data();
    BatchSource batches(data, {8, micro_batch, gang.rank(), gang.size(), torch::kCPU, torch::kFloat64});
    batches.begin_epoch(1, 0);
    const double loss = step.gradients_of(batches.next());
    return {loss, step.parameters().gradients().clone(), step.parameters().buffers().clone()};
}

JobError error_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const JobError& error) {
        return error;
    }
    return JobError(FailureClass::kCrashed, "no error");
}

}  // namespace

TEST_CASE("Without BatchNorm micro-batches change neither loss nor gradient", "[train][micro_batch]") {
    Run run;
    run.spec.loss = GENERATE("bce", "focal", "soft_f1", "double_soft_f1");
    const auto parts = make_train_parts(run.spec);
    CAPTURE(run.spec.loss);
    PlainNetwork whole;
    const Stepped expected = one_step(whole, run, parts, 0, *make_local_communicator());
    for (const std::int64_t micro_batch : {1, 3, 8})
        for (const int ranks : {1, 2}) {
            CAPTURE(micro_batch, ranks);
            run_gang(ranks, [&](Communicator& gang) {
                PlainNetwork network;
                const Stepped found = one_step(network, run, parts, micro_batch, gang);
                if (gang.rank() != 0) return;
                CHECK(found.loss == Approx(expected.loss).epsilon(1e-12));
                CHECK(relative_difference(found.gradient, expected.gradient) < 1e-12);
            });
        }
    // In one pass, each part's loss by its own sums is another loss where records are coupled.
    auto wrong = parts;
    wrong.is_loss_batch_coupled = false;
    PlainNetwork network;
    const auto error =
        relative_difference(one_step(network, run, wrong, 3, *make_local_communicator()).gradient, expected.gradient);
    if (parts.is_loss_batch_coupled)
        CHECK(error > 1e-3);
    else
        CHECK(error < 1e-12);
}

TEST_CASE("The second pass over micro-batches counts BatchNorm's statistics once", "[train][micro_batch]") {
    Run run;
    const auto alone = make_local_communicator();
    const auto statistics = [&](const char* loss) {
        run.spec.loss = loss;
        const auto model = make_model(run.spec, 3);
        return one_step(*model, run, make_train_parts(run.spec), 3, *alone).statistics;
    };
    CHECK(torch::allclose(statistics("bce"), statistics("soft_f1"), 1e-12, 1e-12));
}

TEST_CASE("A sample that is not finite is told with record, lead and step, on every rank", "[train][not_finite]") {
    const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
    const int ranks = GENERATE(1, 2, 4);
    std::atomic<int> told{0};
    run_gang(ranks, [&](Communicator& gang) {
        Run run;
        const auto record = run.data().epoch_order(1)[10];  // steps of 7 and 8 records: in the second one
        run.problem.signals[record][2][5] = bad;
        run.records = RecordsInMemory(run.problem.signals);
        const auto error = error_of([&] { run.train_with(gang); });
        const std::string text = error.what();
        const auto names = [&](const std::string& part) { return text.find(part) != std::string::npos; };
        if (error.failure() == FailureClass::kInvalid && names("epoch 1, step 2") &&
            names("record " + std::to_string(record) + " ") && names("3. lead"))
            ++told;
    });
    CHECK(told == ranks);
}

TEST_CASE("Weights, losses and gradients that are not finite are told as diverged, with the tensor's name",
          "[train][not_finite]") {
    Run run;
    const auto alone = make_local_communicator();
    const TrainData data = run.data();
    const auto model = make_model(run.spec, 3);
    auto parts = make_train_parts(run.spec);
    std::string expected;
    SECTION("weights") {
        const torch::NoGradGuard no_grad;
        model->named_parameters()["head.bias"][1] = std::numeric_limits<float>::quiet_NaN();
        expected = "epoch 1, step 1: the logits are not finite, first of record " +
                   std::to_string(data.epoch_order(1)[0]) + " (class 1)";
    }
    SECTION("loss") {
        parts.loss = [](const torch::Tensor& logits, const torch::Tensor&, std::int64_t, Communicator&) {
            return logits.sum() * 0 + std::numeric_limits<float>::infinity();
        };
        expected = "epoch 1, step 1: the loss is inf, though all logits are finite";
    }
    SECTION("gradient") {
        parts.loss = [](const torch::Tensor& logits, const torch::Tensor&, std::int64_t, Communicator&) {
            return (logits - logits.detach()).sum().sqrt();  // 0, with an infinite slope
        };
        expected = "epoch 1, step 1: the gradient of head.bias is not finite";
    }
    const auto error = error_of([&] { train(*model, data, run.spec, *alone, parts, run.hooks); });
    CHECK(error.failure() == FailureClass::kDiverged);
    CHECK_THAT(error.what(), ContainsText(expected));
}

TEST_CASE("Gradients are clipped to a norm as PyTorch does it", "[train][optimizer]") {
    const auto raw = torch::tensor({3.0, -4.0, 12.0}, torch::kFloat64);  // norm 13
    auto gradients = raw.clone();
    clip_gradients(gradients, 1.3);
    CHECK(torch::allclose(gradients, raw * (1.3 / (13 + 1e-6)), 0, 1e-12));
    gradients = raw.clone();
    clip_gradients(gradients, 13.5);
    CHECK(torch::equal(gradients, raw));
    gradients = torch::tensor({1.0, std::numeric_limits<double>::infinity()}, torch::kFloat64);
    clip_gradients(gradients, 1.0);
    CHECK(gradients[0].item<double>() == 1.0);
    // As a part of the step: the same direction, the norm asked for.
    Run run;
    run.spec.train.optimizer = "sgd";
    run.spec.train.momentum = 0;
    const auto alone = make_local_communicator();
    const auto change = [&](double clip_norm) {
        const auto model = make_model(run.spec, 3);
        model->train();
        const auto parts = make_train_parts(run.spec);
        TrainStep step(*model, parts, *alone, {.clip_norm = clip_norm});
        step.set_learning_rate(1.0);
        const auto before = step.parameters().values().clone();
        const TrainData data = run.data();
        BatchSource batches(data, {.batch = 8});
        batches.begin_epoch(1, 0);
        step.start(batches.next(), false);
        step.finish();
        return step.parameters().values() - before;
    };
    const auto free = change(0);
    const auto clipped = change(0.01);
    CHECK(free.norm().item<double>() > 0.02);
    CHECK(clipped.norm().item<double>() == Approx(0.01).epsilon(1e-3));
    CHECK(torch::cosine_similarity(free, clipped, 0).item<double>() == Approx(1).epsilon(1e-4));
}

TEST_CASE("SGD, Adam and AdamW take the steps of LibTorch's own", "[train][optimizer]") {
    const std::string name = GENERATE("sgd", "adam", "adamw");
    JobSpec spec;
    spec.train.optimizer = name;
    spec.train.weight_decay = name == "adam" ? 0 : 0.02;
    torch::nn::Linear ours(7, 5);
    torch::nn::Linear theirs(7, 5);
    ours->to(torch::kFloat64);
    theirs->to(torch::kFloat64);
    {
        const torch::NoGradGuard no_grad;
        theirs->weight.copy_(ours->weight);
        theirs->bias.copy_(ours->bias);
    }
    FlatParameters flat(*ours);
    const auto optimizer = make_train_parts(spec).make_optimizer(flat);
    optimizer->set_learning_rate(0.03);
    std::unique_ptr<torch::optim::Optimizer> reference;
    if (name == "sgd")
        reference = std::make_unique<torch::optim::SGD>(
            theirs->parameters(), torch::optim::SGDOptions(0.03).momentum(0.9).weight_decay(0.02));
    else if (name == "adam")
        reference =
            std::make_unique<torch::optim::Adam>(theirs->parameters(), torch::optim::AdamOptions(0.03).eps(1e-7));
    else
        reference = std::make_unique<torch::optim::AdamW>(
            theirs->parameters(), torch::optim::AdamWOptions(0.03).eps(1e-7).weight_decay(0.02));
    const auto input = torch::randn({9, 7}, torch::kFloat64);
    for (int step = 0; step < 5; ++step) {
        flat.zero_gradients();
        reference->zero_grad();
        ours->forward(input).square().sum().backward();
        theirs->forward(input).square().sum().backward();
        optimizer->step(torch::zeros({}));
        reference->step();
    }
    CHECK(torch::allclose(ours->weight, theirs->weight, 1e-10, 1e-12));
    CHECK(torch::allclose(ours->bias, theirs->bias, 1e-10, 1e-12));
}

TEST_CASE("The cosine schedule has the rates of PyTorch's CosineAnnealingLR", "[train][optimizer]") {
    // torch.optim.lr_scheduler.CosineAnnealingLR(SGD(lr=1e-2), T_max=5), PyTorch 2.15
    const std::vector<double> expected{0.01, 0.009045084971874737, 0.006545084971874736, 0.003454915028125262,
                                       0.0009549150281252627};
    Run run;
    run.spec.train.epochs = 5;
    run.spec.train.patience = 0;
    run.spec.train.schedule = "cosine";
    const auto outcome = run.train_alone();
    REQUIRE(outcome.epochs.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
        CHECK(outcome.epochs[i].learning_rate == Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("Records kept on the device give the same batches as records read each time", "[train][batches]") {
    Run run;
    const TrainData data = run.data();
    BatchSettings settings{.batch = 8, .micro_batch = 3, .rank = 1, .ranks = 2};
    BatchSource read(data, settings);
    settings.keeps_records_on_device = true;
    BatchSource kept(data, settings);
    for (auto* source : {&read, &kept}) source->begin_epoch(2, 1);
    for (std::int64_t i = 1; i < read.count(); ++i) {
        const Batch a = read.next();
        const Batch b = kept.next();
        REQUIRE(a.parts.size() == b.parts.size());
        CHECK(a.global_size == b.global_size);
        for (std::size_t part = 0; part < a.parts.size(); ++part) {
            CHECK(a.parts[part].indices == b.parts[part].indices);
            CHECK(torch::equal(a.parts[part].records, b.parts[part].records));
            CHECK(torch::equal(a.parts[part].targets, b.parts[part].targets));
        }
    }
}

TEST_CASE("Ranks and micro-batches see each record once an epoch", "[train][batches]") {
    Run run;
    const TrainData data = run.data();
    for (const int ranks : {1, 3, 5})
        for (const std::int64_t batch : {2, 8, 100})  // smaller than the gang, ragged, larger than the fold
            for (const std::int64_t micro_batch : {0, 1, 3}) {
                std::vector<int> seen(60, 0);
                for (int rank = 0; rank < ranks; ++rank) {
                    BatchSource batches(data, {batch, micro_batch, rank, ranks});
                    batches.begin_epoch(1, 0);
                    for (std::int64_t i = 0; i < batches.count(); ++i)
                        for (const auto& part : batches.next().parts) {
                            if (micro_batch > 0) CHECK(part.records.size(0) <= micro_batch);
                            for (const auto index : part.indices) ++seen[static_cast<std::size_t>(index)];
                        }
                }
                std::vector<int> expected(60, 0);
                for (const auto index : run.problem.lists.train) expected[static_cast<std::size_t>(index)] = 1;
                CHECK(seen == expected);
            }
}

TEST_CASE("In bfloat16 training learns too; loss, statistics and weights stay float32", "[train][precision]") {
    Run run;
    run.spec.train.epochs = 12;
    run.spec.train.precision = "bf16";
    const auto outcome = run.train_alone();
    CHECK(outcome.epochs.back().train_loss < 0.6 * outcome.epochs.front().train_loss);
    Run plain;
    plain.spec.train.epochs = 1;
    run.spec.train.epochs = 1;
    const double reference = plain.train_alone().epochs[0].train_loss;
    const double found = run.train_alone().epochs[0].train_loss;
    CHECK(found != reference);  // it was really another arithmetic
    CHECK(found == Approx(reference).epsilon(0.02));
    for (const auto& tensor : run.model->parameters()) CHECK(tensor.scalar_type() == torch::kFloat32);
    for (const auto& tensor : run.model->buffers()) CHECK(tensor.scalar_type() == torch::kFloat32);
}

TEST_CASE("tf32 on a CPU is invalid", "[train][precision]") {
    Run run;
    run.spec.train.precision = "tf32";
    const auto error = error_of([&] { run.train_alone(); });
    CHECK(error.failure() == FailureClass::kInvalid);
    CHECK_THAT(error.what(), ContainsText("only GPUs have"));
}

TEST_CASE("The fastest alternative on rank 0 is chosen by all ranks", "[train][autotune]") {
    std::atomic<int> wrong{0};
    run_gang(2, [&](Communicator& gang) {
        std::string chosen;
        double time = 0;
        // What is fast on rank 0 is slow on rank 1; the very first step of each is slow everywhere.
        const std::map<std::string, double> seconds{{"a", gang.rank() == 0 ? 3.0 : 1.0}, {"b", 2.0}};
        int steps = 0;
        const std::vector<Alternative> alternatives{{"a", [&] { chosen = "a", steps = 0; }},
                                                    {"b", [&] { chosen = "b", steps = 0; }}};
        const auto step = [&] { time += seconds.at(chosen) + (steps++ == 0 ? 100 : 0); };
        const auto name = choose_fastest(
            alternatives, step, [&] { return time; }, gang);
        if (name != "b" || chosen != "b") ++wrong;
    });
    CHECK(wrong == 0);
}

TEST_CASE("A network has the same outputs in both memory layouts", "[train][autotune]") {
    const auto model = make_model(SmallProblem::spec(), 3);
    model->eval();
    const torch::NoGradGuard no_grad;
    const auto records = torch::randn({4, 3, 32});
    const auto expected = model->forward(records);
    set_layout(*model, "contiguous");
    CHECK(model->layout() == torch::MemoryFormat::Contiguous);
    CHECK(torch::allclose(model->forward(records), expected, 1e-4, 1e-5));
}

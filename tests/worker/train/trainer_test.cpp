#include "worker/train/trainer.hpp"
#include "worker/dataset/sampler.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include <unistd.h>

#include "shared/job/schema.hpp"

#include "tests/worker/gang.hpp"
#include "tests/worker/records_in_memory.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/model/predict.hpp"
#include "worker/registry.hpp"
#include "worker/train/checkpoint.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

/// A folder of the test's own, empty at the beginning and gone at the end.
struct Folder {
    std::filesystem::path path;
    explicit Folder(const std::string& name) : path(std::filesystem::temp_directory_path() / ("leadsweep_" + name)) {
        path += "_" + std::to_string(::getpid());
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

std::vector<std::int32_t> shuffled(std::vector<std::int32_t> list, std::int64_t epoch) {
    std::mt19937 engine(static_cast<std::uint32_t>(100 + epoch));
    std::shuffle(list.begin(), list.end(), engine);
    return list;
}

struct Run {
    SmallProblem problem;
    RecordsInMemory records{problem.signals};
    JobSpec spec = SmallProblem::spec();
    TrainHooks hooks;
    std::shared_ptr<Model> model;

    TrainData data() const {
        return {records, problem.lists, [this](std::int64_t epoch) { return shuffled(problem.lists.train, epoch); }};
    }
    TrainOutcome train_with(Communicator& communicator) {
        model = make_model(spec, problem.lists.class_count);
        return train(*model, data(), spec, communicator, make_train_parts(spec), hooks);
    }
    TrainOutcome train_alone() { return train_with(*make_local_communicator()); }
};

bool same_weights(const Model& a, const Model& b) {
    const auto all = [](const Model& model) {
        std::vector<torch::Tensor> flat;
        for (const auto& tensor : model.parameters()) flat.push_back(tensor.detach().flatten());
        for (const auto& tensor : model.buffers()) flat.push_back(tensor.flatten());
        return torch::cat(flat);
    };
    return torch::equal(all(a), all(b));
}

/// Fraction of right labels at threshold 0: stands in for the metrics, which are not trained.
EpochScores rightness(std::span<const float> logits, std::span<const std::uint8_t> labels, std::int64_t, std::int64_t) {
    double right = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) right += (logits[i] > 0) == (labels[i] != 0) ? 1 : 0;
    return {right / static_cast<double>(logits.size()), std::nullopt};
}

}  // namespace

TEST_CASE("Training learns what the records show", "[train]") {
    Run run;
    run.spec.train.epochs = 12;
    run.spec.loss = GENERATE("bce", "double_soft_f1");
    const auto outcome = run.train_alone();
    CHECK(outcome.epochs.back().train_loss < 0.6 * outcome.epochs.front().train_loss);
    const auto logits = predict(*run.model, run.records, run.problem.lists.test);
    const auto right =
        ((logits > 0) == (gather_targets(run.problem.lists, run.problem.lists.test) > 0.5)).to(torch::kFloat32);
    CHECK(right.mean().item<double>() > 0.9);
}

TEST_CASE("Every record is used once an epoch, in batches of nearly equal size", "[train]") {
    for (const std::int64_t records : {1, 5, 8, 9, 36, 79427})
        for (const std::int64_t batch : {1, 4, 8, 32}) {
            const auto count = batch_count(records, batch);
            std::int64_t smallest = records;
            std::int64_t largest = 0;
            for (std::int64_t i = 0; i < count; ++i) {
                const auto size = batch_start(records, batch, i + 1) - batch_start(records, batch, i);
                smallest = std::min(smallest, size);
                largest = std::max(largest, size);
            }
            CHECK(batch_start(records, batch, 0) == 0);
            CHECK(batch_start(records, batch, count) == records);
            CHECK(largest <= batch);
            CHECK(largest - smallest <= 1);
        }
}

TEST_CASE("Training interrupted anywhere and resumed gives the same bits as in one go", "[train][checkpoint]") {
    Run straight;
    const auto expected = straight.train_alone();
    // 5 steps an epoch: in the middle of an epoch, at its last step, and one step after another.
    const std::vector<int> stops = GENERATE(std::vector<int>{3}, std::vector<int>{5}, std::vector<int>{7, 2, 4});
    const Folder folder("resume");
    Run broken;
    broken.hooks.train_key = "key";
    broken.hooks.checkpoint_folder = folder.path.string();
    broken.hooks.resume_folder = folder.path.string();
    for (const int stop_at : stops) {
        int steps = 0;
        broken.hooks.should_stop = [&] { return ++steps == stop_at; };
        try {
            broken.train_alone();
            FAIL("it was not stopped");
        } catch (const JobError& error) {
            CHECK(error.failure() == FailureClass::kInterrupted);
        }
    }
    broken.hooks.should_stop = {};
    const auto outcome = broken.train_alone();
    CHECK(same_weights(*broken.model, *straight.model));
    REQUIRE(outcome.epochs.size() == expected.epochs.size());
    for (std::size_t i = 0; i < outcome.epochs.size(); ++i) {
        CHECK(outcome.epochs[i].train_loss == expected.epochs[i].train_loss);
        CHECK(outcome.epochs[i].validation_loss == expected.epochs[i].validation_loss);
    }
    CHECK(outcome.best_epoch == expected.best_epoch);
}

TEST_CASE("A torn checkpoint is passed over for the one before", "[train][checkpoint]") {
    const Folder folder("torn");
    const auto current = folder.path / "checkpoint.safetensors";
    auto values = torch::arange(4, torch::kFloat32);
    TrainPosition position;
    position.epoch = 2;
    save_checkpoint(folder.path.string(), "key", position, {{"values", values}});
    position.epoch = 3;
    save_checkpoint(folder.path.string(), "key", position, {{"values", values + 1}});
    auto read = torch::zeros({4});
    CHECK(load_checkpoint(folder.path.string(), "key", {{"values", read}})->epoch == 3);
    CHECK(torch::equal(read, values + 1));
    SECTION("cut short") {
        std::filesystem::resize_file(current, std::filesystem::file_size(current) - 3);
    }
    SECTION("one bit turned") {
        std::fstream file(current, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-2, std::ios::end);
        file.put('\x55');
    }
    SECTION("gone") {
        std::filesystem::remove(current);
    }
    CHECK(load_checkpoint(folder.path.string(), "key", {{"values", read}})->epoch == 2);
    CHECK(torch::equal(read, values));
    std::filesystem::resize_file(folder.path / "checkpoint.previous.safetensors", 5);
    CHECK_FALSE(load_checkpoint(folder.path.string(), "key", {{"values", read}}).has_value());
}

TEST_CASE("A checkpoint of another job or another network is refused", "[train][checkpoint]") {
    const Folder folder("foreign");
    auto values = torch::zeros({4});
    save_checkpoint(folder.path.string(), "key", {}, {{"values", values}});
    CHECK_THROWS_AS(load_checkpoint(folder.path.string(), "other", {{"values", values}}), InputError);
    auto longer = torch::zeros({5});
    CHECK_THROWS_AS(load_checkpoint(folder.path.string(), "key", {{"values", longer}}), InputError);
}

TEST_CASE("A model file gives back the network, its spec and its classes", "[train][checkpoint]") {
    const Folder folder("model");
    const auto path = (folder.path / "model.safetensors").string();
    Run run;
    run.train_alone();
    const auto digest = save_model(*run.model, {run.spec, {"a", "b", "c"}}, path);
    const auto loaded = load_model(path, digest);
    CHECK(same_weights(*loaded.model, *run.model));
    CHECK(loaded.info.class_codes == std::vector<std::string>{"a", "b", "c"});
    CHECK(loaded.info.spec.model.kernels == run.spec.model.kernels);
    CHECK_THROWS_AS(load_model(path, std::string(64, '0')), InputError);
    auto other = run.spec;
    other.model.depth = 4;
    CHECK_THROWS_WITH(load_weights(*make_model(other, 3), path),
                      ContainsText("array 'blocks.3.bottleneck.weight' is missing"));
}

TEST_CASE("The epoch best on the validation list is kept and patience ends training", "[train]") {
    Run run;
    run.spec.train.epochs = 20;
    run.spec.train.patience = 2;
    run.spec.train.monitor = "macro_auroc";
    run.spec.train.schedule = GENERATE("constant", "plateau");
    const std::vector<double> figures{0.5, 0.7, 0.6, 0.8, 0.8, 0.1, 0.9};
    std::size_t asked = 0;
    torch::Tensor logits_of_best;
    run.hooks.score = [&](std::span<const float> logits, std::span<const std::uint8_t>, std::int64_t n,
                          std::int64_t k) {
        if (asked == 3) logits_of_best = torch::tensor(at::ArrayRef<float>(logits.data(), logits.size())).view({n, k});
        return EpochScores{figures[asked++], std::nullopt};
    };
    const auto outcome = run.train_alone();
    CHECK(outcome.best_epoch == 4);
    CHECK(outcome.best_figure == 0.8);
    CHECK(outcome.epochs.size() == 6);
    std::vector<bool> best;
    for (const auto& epoch : outcome.epochs) best.push_back(epoch.is_best);
    CHECK(best == std::vector<bool>{true, true, false, true, false, false});
    const auto logits = predict(*run.model->fold(), run.records, run.problem.lists.validation);
    CHECK(torch::equal(logits, logits_of_best));
    const double after_a_loss = run.spec.train.schedule == "plateau" ? 1e-3 : 1e-2;
    CHECK(outcome.epochs[2].learning_rate == 1e-2);
    CHECK(outcome.epochs[3].learning_rate == Approx(after_a_loss));
}

TEST_CASE("A loss that is not finite ends training as diverged, naming epoch and step", "[train]") {
    Run run;
    run.problem.signals[run.data().epoch_order(1)[10]].fill_(std::numeric_limits<float>::infinity());
    RecordsInMemory broken(run.problem.signals);
    const TrainData data{broken, run.problem.lists, run.data().epoch_order};
    const auto model = make_model(run.spec, 3);
    try {
        train(*model, data, run.spec, *make_local_communicator(), make_train_parts(run.spec), run.hooks);
        FAIL("no error");
    } catch (const JobError& error) {
        CHECK(error.failure() == FailureClass::kDiverged);
        CHECK_THAT(error.what(), ContainsText("epoch 1, step 2"));
    }
}

TEST_CASE("Lists and monitors that cannot be used are invalid", "[train]") {
    Run run;
    const auto failure = [&] {
        try {
            run.train_alone();
        } catch (const JobError& error) {
            return error.failure();
        }
        return FailureClass::kCrashed;
    };
    SECTION("no validation records") {
        run.problem.lists.validation.clear();
    }
    SECTION("a monitor without value") {
        run.spec.train.monitor = "macro_f1";
        run.hooks.score = rightness;
    }
    CHECK(failure() == FailureClass::kInvalid);
}

TEST_CASE("One rank's wish to stop stops all ranks after the same step, and training can be resumed", "[train]") {
    const Folder folder("gang");
    std::atomic<int> interrupted{0};
    std::atomic<int> steps_of_rank[2]{};
    run_gang(2, [&](Communicator& gang) {
        Run run;
        const int rank = gang.rank();
        run.hooks.train_key = "key";
        run.hooks.checkpoint_folder = folder.path.string();
        run.hooks.should_stop = [&] { return ++steps_of_rank[rank] == 7 && rank == 1; };
        try {
            run.train_with(gang);
        } catch (const JobError& error) {
            if (error.failure() == FailureClass::kInterrupted) ++interrupted;
        }
    });
    CHECK(interrupted == 2);
    CHECK(steps_of_rank[0] == 7);
    CHECK(steps_of_rank[1] == 7);
    std::atomic<int> wrong{0};
    Run straight[2];
    Run resumed[2];
    run_gang(2, [&](Communicator& gang) { straight[gang.rank()].train_with(gang); });
    run_gang(2, [&](Communicator& gang) {
        auto& run = resumed[gang.rank()];
        run.hooks.train_key = "key";
        if (gang.rank() == 0) run.hooks.resume_folder = folder.path.string();
        run.train_with(gang);
    });
    CHECK(same_weights(*straight[0].model, *straight[1].model));
    CHECK(same_weights(*resumed[0].model, *straight[0].model));
    CHECK(same_weights(*resumed[1].model, *straight[0].model));
}

namespace {

enum class Mistake { kNone, kLocalNorm, kMultipliedGradient };

struct FirstStep {
    double loss;
    torch::Tensor gradients;
};

/// Loss and gradients of one batch over all ranks, in float64.
FirstStep first_step(const std::string& loss_name, int size, Mistake mistake) {
    FirstStep found;
    run_gang(size, [&](Communicator& gang) {
        SmallProblem problem;
        auto spec = SmallProblem::spec();
        spec.loss = loss_name;
        const auto model = make_model(spec, 3);
        model->to(torch::kFloat64);
        model->train();
        model->synchronise_batch_norm(mistake == Mistake::kLocalNorm ? nullptr : &gang);
        FlatParameters parameters(*model, 1);
        constexpr std::int64_t kBatch = 10;  // over 4 ranks: unequal shares
        const auto first = kBatch * gang.rank() / size;
        const auto end = kBatch * (gang.rank() + 1) / size;
        std::vector<std::int32_t> indices;
        for (auto i = first; i < end; ++i) indices.push_back(static_cast<std::int32_t>(i));
        const auto targets = gather_targets(problem.lists, indices);
        const auto logits = model->forward(problem.signals.slice(0, first, end));
        const auto share = make_train_parts(spec).loss(logits, targets, kBatch, gang);
        share.backward();
        if (mistake == Mistake::kMultipliedGradient) parameters.gradients().mul_(size);
        parameters.extra()[0].copy_(share.detach());
        gang.all_reduce_sum_(parameters.reduced());
        if (gang.rank() == 0) found = {parameters.extra()[0].item<double>(), parameters.gradients().clone()};
    });
    return found;
}

double relative_difference(const FirstStep& a, const FirstStep& b) {
    return ((a.gradients - b.gradients).norm() / b.gradients.norm()).item<double>();
}

}  // namespace

TEST_CASE("Several workers compute the loss and gradients of one worker with the whole batch", "[train][parallel]") {
    const std::string loss = GENERATE("bce", "double_soft_f1");
    CAPTURE(loss);
    const auto one = first_step(loss, 1, Mistake::kNone);
    for (const int size : {2, 4}) {
        const auto several = first_step(loss, size, Mistake::kNone);
        CHECK(std::abs(several.loss - one.loss) < 1e-9);
        CHECK(relative_difference(several, one) < 1e-9);
        // The comparison would notice the mistakes it is there for.
        CHECK(relative_difference(first_step(loss, size, Mistake::kLocalNorm), one) > 1e-3);
        CHECK(relative_difference(first_step(loss, size, Mistake::kMultipliedGradient), one) > 0.5);
    }
}

TEST_CASE("Every alternative of the schema can be made", "[registry]") {
    for (const auto& key : job_schema()) {
        auto made = registered_choices(key.path);
        if (made.empty()) continue;
        auto expected = key.choices;
        std::sort(expected.begin(), expected.end());
        CAPTURE(key.path);
        CHECK(made == expected);
    }
    for (const char* key : {"model.name", "loss", "train.optimizer", "train.schedule", "explain.method"})
        CHECK_FALSE(registered_choices(key).empty());
    JobSpec unknown;
    unknown.model.name = "transformer";
    CHECK_THROWS_AS(make_model(unknown, 3), JobError);
}

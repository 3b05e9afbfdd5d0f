#include "worker/train/trainer.hpp"
#include "worker/dataset/sampler.hpp"

#include <atomic>
#include <fstream>

#include "shared/arrays/safetensors.hpp"
#include "shared/job/schema.hpp"
#include "tests/worker/train/training_run.hpp"
#include "worker/model/predict.hpp"
#include "worker/train/checkpoint.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

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
    SECTION("one byte turned, in an array or in what the file says of itself") {
        const auto size = static_cast<std::int64_t>(std::filesystem::file_size(current));
        const std::int64_t place = GENERATE(-2, -17, 8 + 20, 8 + 60, 8 + 100, 8 + 140);
        std::fstream file(current, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(place < 0 ? size + place : place);
        const char found = static_cast<char>(file.get());
        file.seekp(place < 0 ? size + place : place);
        file.put(static_cast<char>(found ^ 1));
    }
    SECTION("of another version") {
        ArrayFile file = load_arrays(current.string());
        file.metadata["version"] = "999";
        save_arrays(file, current.string());
    }
    SECTION("gone") {
        std::filesystem::remove(current);
    }
    CHECK(load_checkpoint(folder.path.string(), "key", {{"values", read}})->epoch == 2);
    CHECK(torch::equal(read, values));
    std::filesystem::resize_file(folder.path / "checkpoint.previous.safetensors", 5);
    CHECK_FALSE(load_checkpoint(folder.path.string(), "key", {{"values", read}}).has_value());
}

TEST_CASE("Training goes on from the checkpoint before where the newest is torn, with the same bits",
          "[train][checkpoint]") {
    Run straight;
    straight.train_alone();
    const Folder folder("torn_in_training");
    Run broken;
    broken.hooks.train_key = "key";
    broken.hooks.checkpoint_folder = broken.hooks.resume_folder = folder.path.string();
    int steps = 0;
    broken.hooks.should_stop = [&] { return ++steps == 12; };  // the second epoch's end and the stop left one each
    CHECK_THROWS_AS(broken.train_alone(), JobError);
    const auto current = folder.path / "checkpoint.safetensors";
    std::filesystem::resize_file(current, std::filesystem::file_size(current) / 2);
    steps = 0;
    broken.hooks.should_stop = [&] { return ++steps == 1000; };
    broken.train_alone();
    CHECK(steps == 5);  // the third epoch, whole
    CHECK(same_weights(*broken.model, *straight.model));
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

TEST_CASE("Training resumed by another number of workers agrees within rounding", "[train][checkpoint][parallel]") {
    const auto plan = [](Run& run) {
        run.type = torch::kFloat64;  // Adam in float32 would amplify the last bit of every gradient
        run.spec.loss = "double_soft_f1";
        run.hooks.train_key = "key";
    };
    Run straight;
    plan(straight);
    straight.train_alone();
    const int before = GENERATE(1, 2);
    const int after = GENERATE(1, 4);
    const Folder folder("other_k");
    std::atomic<int> interrupted{0};
    run_gang(before, [&](Communicator& gang) {
        Run run;
        plan(run);
        run.hooks.checkpoint_folder = folder.path.string();
        int steps = 0;
        run.hooks.should_stop = [&] { return ++steps == 7; };
        try {
            run.train_with(gang);
        } catch (const JobError&) {
            ++interrupted;
        }
    });
    REQUIRE(interrupted == before);
    std::vector<torch::Tensor> ends(static_cast<std::size_t>(after));
    run_gang(after, [&](Communicator& gang) {
        Run run;
        plan(run);
        if (gang.rank() == 0) run.hooks.resume_folder = folder.path.string();
        run.train_with(gang);
        ends[static_cast<std::size_t>(gang.rank())] = all_weights(*run.model);
    });
    for (const auto& end : ends) CHECK(relative_difference(end, all_weights(*straight.model)) < 1e-7);
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

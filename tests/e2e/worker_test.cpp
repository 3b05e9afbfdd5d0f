// leadsweep-worker as a person uses it: one job by hand, the devices asked for, an exported network.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

const std::string kNoWorker = "this build has no leadsweep-worker (LEADSWEEP_WORKER=OFF)";

constexpr const char* kSmallJob = R"({"data": {"synthetic": {"patients": 30, "duration_s": 2}, "window_s": 2},
 "folds": {"k": 3}, "sampling_hz": 50, "model": {"depth": 3, "filters": 4, "bottleneck": 4, "kernels": [8, 5]},
 "train": {"epochs": EPOCHS, "batch": 8, "monitor": "loss", "patience": 0}, "explain": {"method": "none"}})";

std::string small_job(const std::string& epochs) {
    std::string text = kSmallJob;
    return text.replace(text.find("EPOCHS"), 6, epochs);
}

Outcome run_worker(const SweepFolder& folder, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), real_worker_program());
    return run_program(arguments, {}, folder.path("worker"), 120);
}

std::vector<std::string> lines_with(const std::string& text, const std::string& word) {
    std::vector<std::string> found;
    std::size_t start = 0;
    while (start < text.size()) {
        const auto end = std::min(text.find('\n', start), text.size());
        const auto line = text.substr(start, end - start);
        if (line.find(word) != std::string::npos) found.push_back(line);
        start = end + 1;
    }
    return found;
}

/// Epochs without their speed, which differs from run to run.
std::vector<std::string> losses_in(const std::string& text) {
    auto lines = lines_with(text, "training loss");
    for (auto& line : lines) line = line.substr(0, line.rfind(','));
    return lines;
}

}  // namespace

TEST_CASE("A job of a spec is trained by hand; Ctrl-C leaves a checkpoint from which the same command goes on") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder;
    folder.write(small_job("120"), "job.json");
    const auto train = [&](const std::string& out) {
        return std::vector<std::string>{real_worker_program(), "train", folder.path("job.json"), "--out",
                                        folder.path(out)};
    };
    const Outcome straight = run_program(train("straight"), {}, folder.path("straight_run"), 120);
    INFO(straight.err);
    REQUIRE(straight.code == 0);
    CHECK(says(straight.out, {"epoch 120: training loss", "test macro_f1", "result.cbor"}));
    {
        Process process(train("broken"), {}, folder.path("broken_run"));
        while (process.is_running() && process.error_text().find("training 2/") == std::string::npos &&
               process.error_text().find("training 1/") == std::string::npos)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        process.signal(SIGINT);
        const Outcome stopped = process.wait();
        INFO(stopped.err);
        REQUIRE(stopped.code == 3);
        CHECK(says(stopped.err, {"interrupted: stopped in epoch"}));
    }
    const Outcome resumed = run_program(train("broken"), {}, folder.path("resumed_run"), 120);
    INFO(resumed.err);
    REQUIRE(resumed.code == 0);
    CHECK(says(resumed.err, {"resumed in epoch"}));
    CHECK(losses_in(resumed.out) == losses_in(straight.out));
    CHECK(lines_with(resumed.out, "test ") == lines_with(straight.out, "test "));
}

TEST_CASE("What cannot be trained by hand is told with its place and the remedy") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder;
    const auto error_of = [&](const std::string& text, std::vector<std::string> more = {}) {
        folder.write(text, "job.json");
        std::vector<std::string> arguments{"train", folder.path("job.json"), "--out", folder.path("out")};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Outcome outcome = run_worker(folder, arguments);
        CHECK(outcome.code == 2);
        return outcome.err;
    };
    CHECK(says(error_of("{"), {"job.json", "no JSON"}));
    CHECK(says(error_of(R"({"loss": "bcee"})"), {"loss", "did you mean 'bce'?"}));
    CHECK(says(error_of(R"({"data": {"records": "/nowhere"}})"), {"data.records", "/nowhere", "no folder"}));
    CHECK(says(error_of(R"({"spec": {}, "key": "k"})"), {"'train_key' is missing"}));
    CHECK(says(error_of(small_job("1"), {"--device", "cpu-99"}), {"cpu-99", "no such device", "cpu-0"}));
    CHECK(says(error_of(small_job("1"), {"--threads", "4096"}), {"--threads 4096"}));
    if (std::getenv("CUDA_VISIBLE_DEVICES") == nullptr && !std::filesystem::exists("/dev/nvidiactl"))
        CHECK(says(error_of(small_job("1"), {"--device", "cuda"}), {"--device cuda", "CUDA"}));
    const Outcome bench = run_worker(folder, {"bench", "--device", "gpu7"});
    CHECK(bench.code == 2);
    CHECK(says(bench.err, {"gpu7"}));
}

TEST_CASE("A failed job can be run again by hand from what it leaves") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    // A decay that multiplies all weights by -9999 in every step: they leave the range of float32 after a few.
    folder.write(training_sweep("fold: [0]"));
    const Outcome failed =
        folder.run({"--set", "train.optimizer=adamw", "--set", "train.learning_rate=100", "--set",
                    "train.weight_decay=100", "--set", "train.epochs=20", "--set", "train.patience=0"},
                   170);
    INFO(failed.err);
    REQUIRE(failed.code == 1);
    REQUIRE(folder.count("SELECT count(*) FROM attempts WHERE outcome = 'diverged'") == 1);
    const auto message = folder.ask("SELECT message FROM attempts").at(0);
    CHECK(says(message, {"epoch", "step", "not finite"}));
    const auto job = folder.path("work/" + folder.ask("SELECT folder FROM attempts").at(0) + "/job.json");
    const Outcome again = run_worker(folder, {"train", job, "--out", folder.path("again")});
    CHECK(again.code == 1);
    CHECK(says(again.err, {"diverged", message.substr(1, 20)}));
}

TEST_CASE("An exported job is a plain PyTorch module with the job's own outputs") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    folder.write(training_sweep("fold: [0]"));
    REQUIRE(folder.run({}, 170).code == 0);
    const Outcome exported = folder.leadsweep({"export", "1", "--to", folder.path("exported")});
    INFO(exported.err);
    REQUIRE(exported.code == 0);
    for (const char* name : {"model.safetensors", "model.json", "model.py"})
        CHECK(std::filesystem::exists(folder.path("exported/" + std::string(name))));
    CHECK(says(folder.read("exported/model.json"), {"\"sampling_hz\"", "\"threshold\"", "\"window_s\"", "\"leads\""}));
    const Outcome twice = folder.leadsweep({"export", "1", "--to", folder.path("exported")});
    CHECK(twice.code == 2);
    CHECK(says(twice.err, {"model.safetensors", "--force"}));
    CHECK(folder.leadsweep({"export", "1", "--to", folder.path("exported"), "--force"}).code == 0);
    CHECK(folder.leadsweep({"export", "99", "--to", folder.path("other")}).code == 2);

    const auto predictions = folder.ask(
        "SELECT folder || '/' || path FROM attempts JOIN artifacts USING (attempt_id) WHERE kind = 'predictions'");
    std::string pack;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path("")))
        if (entry.path().extension() == ".shard") pack = entry.path().parent_path().string();
    REQUIRE_FALSE(pack.empty());
    const char* python = std::getenv("LEADSWEEP_PYTHON");
    const Outcome checked =
        run_program({python != nullptr ? python : "python3", LEADSWEEP_SOURCE_DIR "/tests/e2e/check_export.py",
                     folder.path("exported"), folder.path("work/" + predictions.at(0)), pack},
                    {}, folder.path("check"), 120);
    if (checked.err.find("SKIPPED: ") != std::string::npos)
        LEADSWEEP_SKIP(checked.err.substr(checked.err.find("SKIPPED: ") + 9) << " (LEADSWEEP_PYTHON names another)");
    INFO(checked.err);
    CHECK(checked.code == 0);
}

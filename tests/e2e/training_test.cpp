// Sweeps that train: the same figures, bit for bit, however the jobs are spread and in whatever order they run.
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

const std::string kNoWorker = "this build has no leadsweep-worker (LEADSWEEP_WORKER=OFF)";
constexpr double kPatience_s = 170;

/// All figures of all jobs, with every digit that a double has.
std::vector<std::string> figures_of(const SweepFolder& folder) {
    auto rows = folder.ask(
        "SELECT key, split, class_code, name, printf('%!.17g', value), is_nan, n_positive FROM metrics "
        "JOIN jobs ON winning_attempt_id = attempt_id ORDER BY 1, 2, 3, 4");
    const auto importance = folder.ask(
        "SELECT key, class_code, lead, printf('%!.17g', importance), printf('%!.17g', magnitude) FROM lead_importance "
        "JOIN jobs ON winning_attempt_id = attempt_id ORDER BY 1, 2, 3");
    const auto epochs = folder.ask(
        "SELECT key, epoch, printf('%!.17g', train_loss), printf('%!.17g', validation_loss) FROM epochs "
        "JOIN jobs ON winning_attempt_id = attempt_id ORDER BY 1, 2");
    CHECK(rows.size() > 100);
    CHECK(importance.size() > 20);
    CHECK(epochs.size() == 12);
    rows.insert(rows.end(), importance.begin(), importance.end());
    rows.insert(rows.end(), epochs.begin(), epochs.end());
    return rows;
}

std::vector<std::string> figures_of_plain_run() {
    const SweepFolder folder(real_worker_program());
    folder.write(training_sweep());
    const Outcome outcome = folder.run({}, kPatience_s);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    return figures_of(folder);
}

/// The bytes of a safetensors file behind its header, whose length stands in the first eight.
std::string weights_in(const std::string& file) {
    std::uint64_t header = 0;
    REQUIRE(file.size() > sizeof header);
    std::memcpy(&header, file.data(), sizeof header);
    REQUIRE(file.size() > sizeof header + header);
    return file.substr(sizeof header + header);
}

}  // namespace

TEST_CASE("Under mpirun a sweep has the same figures, bit for bit") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    SweepFolder folder(real_worker_program());
    folder.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
    folder.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
    folder.write(training_sweep());
    std::vector<std::string> command{"setsid", "--wait", "mpirun", "--oversubscribe", "-n", "3"};
    for (const auto& argument : folder.run_command()) command.push_back(argument);
    const Outcome outcome = run_program(command, folder.environment, folder.path("run"), kPatience_s);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(figures_of(folder) == figures_of_plain_run());
    CHECK(all_processes_end(10));
}

TEST_CASE("One warm worker that runs the jobs in another order gets the same figures, bit for bit") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    folder.write(training_sweep("fold: [2, 0, 1], loss: [double_soft_f1, bce]"));
    const Outcome outcome = folder.run({"--workers", "1"}, kPatience_s);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(folder.count("SELECT count(DISTINCT worker) FROM attempts") == 1);
    CHECK(figures_of(folder) == figures_of_plain_run());
    CHECK(all_processes_end(10));
}

TEST_CASE("When only the explanation changes nothing is trained again, and all reports print") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    folder.write(training_sweep());
    REQUIRE(folder.run({}, kPatience_s).code == 0);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE is_reused = 1") == 0);
    CHECK(folder.count(
              "SELECT count(*) FROM attempts WHERE checkpoint_epoch = 2 AND length(checkpoint_digest) = 64") == 6);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path("work")))
        CHECK(entry.path().filename().string().find("checkpoint") == std::string::npos);
    const Outcome again = folder.run({"--set", "explain.segments=5"}, kPatience_s);
    INFO(again.err);
    REQUIRE(again.code == 0);
    CHECK(folder.count("SELECT count(*) FROM attempts WHERE is_reused = 1 AND outcome = 'finished'") == 6);
    CHECK(folder.count("SELECT count(*) FROM attempts") == 12);
    // A reused model gives the same logits, byte for byte, and its file has the same weights; only the settings that
    // the file tells beside them differ.
    CHECK(folder.count(
              "SELECT count(*) FROM (SELECT train_key FROM jobs JOIN artifacts ON winning_attempt_id = attempt_id "
              "WHERE kind = 'predictions' GROUP BY train_key HAVING count(*) = 2 AND "
              "count(DISTINCT digest) = 1)") == 6);
    const auto models = folder.ask(
        "SELECT folder || '/' || path FROM jobs JOIN attempts ON winning_attempt_id = attempt_id JOIN artifacts USING "
        "(attempt_id) WHERE kind = 'model' ORDER BY train_key");
    REQUIRE(models.size() == 12);
    for (std::size_t i = 0; i < models.size(); i += 2)
        CHECK(weights_in(folder.read("work/" + models[i])) == weights_in(folder.read("work/" + models[i + 1])));
    CHECK(weights_in(folder.read("work/" + models[0])) != weights_in(folder.read("work/" + models[2])));

    const Outcome table = folder.leadsweep({"table", "--metric", "macro_auroc,macro_f1", "--format", "csv"});
    CHECK(table.code == 0);
    CHECK(says(table.out, {"bce", "double_soft_f1", "macro_auroc"}));
    const Outcome map = folder.leadsweep({"map"});
    CHECK(map.code == 0);
    CHECK(says(map.out, {"V2", "aVR", "planted"}));
    const Outcome evaluated =
        folder.leadsweep({"evaluate", "--by", "source", "--metric", "macro_auroc,macro_brier_30"});
    INFO(evaluated.err);
    CHECK(evaluated.code == 0);
    CHECK(says(evaluated.out, {"loss bce", "synthetic", "macro_brier_30", "stored predictions"}));
    const Outcome compared = folder.leadsweep({"compare", "--published", "study"});
    INFO(compared.err);
    CHECK(compared.code == 0);
    CHECK(says(compared.out,
               {"0.420 ± 0.017", "loss double_soft_f1", "always no", "No test of significance", "published 88253"}));
    CHECK(folder.leadsweep({"compare", "--published", "another"}).code == 2);
    const Outcome query = folder.leadsweep({"query", "SELECT loss, count(*) FROM runs GROUP BY 1"});
    CHECK(query.code == 0);
    CHECK(says(query.out, {"bce", "double_soft_f1"}));
}

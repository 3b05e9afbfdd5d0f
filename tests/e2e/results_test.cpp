// What people do with results: tables, the page, the trained model, completion; and what is refused.
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

/// Header files of real records; none where they are not there.
std::vector<std::string> real_records(std::size_t most) {
    const char* given = std::getenv("LEADSWEEP_ECG");
    const std::filesystem::path folder = given != nullptr ? given : LEADSWEEP_SOURCE_DIR "/../shared/ecg";
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, none))
        if (entry.path().extension() == ".hea" && found.size() < most) found.push_back(entry.path().string());
    return found;
}

}  // namespace

TEST_CASE("A database without results is told, one that is none is refused") {
    const SweepFolder folder;
    for (const char* command : {"table", "best", "report", "map"}) {
        const Outcome outcome = folder.leadsweep({command});
        CHECK(outcome.code == 2);
        CHECK(says(outcome.err, {"no such database"}));
    }
    folder.write("this is no database, but long enough to be looked at", "results.sqlite");
    CHECK(folder.leadsweep({"query", "SELECT 1"}).code == 2);
}

TEST_CASE("Results of a sweep come in every form, and nothing is written by asking") {
    const SweepFolder folder;
    folder.write(fake_sweep(2));
    REQUIRE(folder.run().code == 0);
    for (const char* format : {"text", "markdown", "csv", "json", "latex", "html"})
        CHECK(folder.leadsweep({"query", "--name", "progress", "--format", format}).code == 0);
    CHECK(says(folder.leadsweep({"query", "--list"}).out, {"leads", "The two leads that speak most for each class"}));
    CHECK(folder.leadsweep({"query", "SELECT count(*) AS n FROM runs", "--save", "count"}).code == 0);
    CHECK(folder.leadsweep({"query", "--name", "count", "--format", "csv"}).out == "n\r\n6\r\n");
    const Outcome refused = folder.leadsweep({"query", "DELETE FROM jobs"});
    CHECK(refused.code == 2);
    CHECK(says(refused.err, {"would change the database"}));
    CHECK(folder.leadsweep({"query"}).code == 2);
    CHECK(folder.leadsweep({"table", "--bootstrap", "100"}).code == 2);
    CHECK(folder.leadsweep({"table", "--per-class", "--baseline", "loss=bce"}).code == 2);
    CHECK(folder.leadsweep({"table", "--format", "pdf"}).code == 2);
    const Outcome report = folder.leadsweep({"report", "--out", folder.path("report.html")});
    INFO(report.err);
    CHECK(report.code == 0);
    CHECK(folder.read("report.html").starts_with("<!DOCTYPE html>"));
    CHECK(folder.leadsweep({"predict", "--job", "1", "nowhere.hea"}).code == 2);
}

TEST_CASE("Version and completion tell what there is") {
    const SweepFolder folder;
    const Outcome version = run_program({leadsweep_program(), "--version"}, {}, folder.path("version"));
    CHECK(version.code == 0);
    CHECK(says(version.out, {"leadsweep ", "SQLite 3.", "yaml-cpp ", "Boost 1.", "cpp-httplib "}));
    for (const char* shell : {"bash", "zsh"}) {
        const Outcome script = run_program({leadsweep_program(), "completion", shell}, {}, folder.path("completion"));
        CHECK(script.code == 0);
        CHECK(says(script.out, {"_leadsweep", "--baseline", "serve", "predict"}));
    }
    CHECK(run_program({leadsweep_program(), "completion", "fish"}, {}, folder.path("completion")).code == 2);
    folder.write(run_program({leadsweep_program(), "completion", "bash"}, {}, folder.path("completion")).out,
                 "script.sh");
    const Outcome completed =
        run_program({"bash", "-c",
                     ". '" + folder.path("script.sh") +
                         "'; COMP_WORDS=(leadsweep table --base); COMP_CWORD=2; _leadsweep; echo \"${COMPREPLY[*]}\""},
                    {}, folder.path("bash"));
    CHECK(completed.out == "--baseline\n");
}

TEST_CASE("Every command has examples in its help") {
    const SweepFolder folder;
    for (const char* command : {"run", "plan", "data", "table", "best", "map", "query", "predict", "explain", "report", "serve",
                                "status", "why", "logs", "retry", "cancel", "backup", "doctor", "completion"}) {
        INFO(command);
        const Outcome help = run_program({leadsweep_program(), command, "--help"}, {}, folder.path("help"));
        CHECK(help.code == 0);
        CHECK(says(help.out, {"Example", std::string("leadsweep ") + command}));
    }
}

TEST_CASE("A trained model and the ensemble of its folds predict new records, with the leads that speak") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP("this build has no leadsweep-worker (LEADSWEEP_WORKER=OFF)");
    const auto records = real_records(2);
    if (records.empty()) LEADSWEEP_SKIP("there are no real records: set LEADSWEEP_ECG");
    const SweepFolder folder(real_worker_program());
    folder.write(training_sweep("fold: all"));
    REQUIRE(folder.run({}, 170).code == 0);
    const std::string group = folder.ask("SELECT DISTINCT group_id FROM jobs").at(0);
    std::vector<std::string> words{"predict", "--group", group, "--explain", "--format", "json"};
    words.insert(words.end(), records.begin(), records.end());
    const Outcome outcome = folder.leadsweep(words);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    const auto answer = nlohmann::json::parse(outcome.out);
    CHECK(answer.at("models") == 3);
    REQUIRE(answer.at("records").size() == records.size());
    const auto& first = answer["records"][0].at("classes").at(0);
    CHECK(first.at("low") <= first.at("probability"));
    CHECK(first.at("probability") <= first.at("high"));
    CHECK(first.contains("tuned_threshold"));
    CHECK(first.at("importance").size() == 12);
    const Outcome text = folder.leadsweep({"predict", "--job", "1", records[0]});
    CHECK(text.code == 0);
    CHECK(says(text.out, {"Probabilities of one model", "tuned threshold"}));
    const Outcome explained = folder.leadsweep({"explain", records[0], "--job", "1", "--class", "sign V2", "--set",
                                                "explain.segments=5", "--svg", folder.path("one.svg")});
    INFO(explained.err);
    CHECK(explained.code == 0);
    CHECK(says(explained.out, {"sign V2, probability", "aVR", "sum", "Faithfulness"}));
    CHECK(says(folder.read("one.svg"), {"<svg", ">V6</text>", "speaks against"}));
    const auto refused = [&](const std::vector<std::string>& more) {
        std::vector<std::string> all{"explain", records[0], "--job", "1"};
        all.insert(all.end(), more.begin(), more.end());
        const Outcome wrong = folder.leadsweep(all);
        CHECK(wrong.code == 2);
        return wrong.err;
    };
    CHECK(says(refused({"--class", "sign V9"}), {"unknown class 'sign V9'", "sign V"}));
    CHECK(says(refused({"--set", "model.depth=9"}), {"only explain.*"}));
    CHECK(says(refused({"--set", "explain.segmnts=9"}), {"did you mean 'explain.segments'?"}));
    CHECK(says(refused({"--set", "explain.baseline=background"}), {"--set explain.baseline=lead_mean"}));
    const Outcome missing = folder.leadsweep({"predict", "--job", "1", folder.path("sweep.yaml")});
    CHECK(missing.code == 2);
    CHECK(says(missing.err, {"no such record"}));
}

#include "orchestrator/report/page.hpp"

#include <filesystem>
#include <fstream>

#include "orchestrator/report/predictions.hpp"
#include "shared/arrays/safetensors.hpp"
#include "shared/core/errors.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/fold_lists.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

/// Two losses, two folds, with curves, explanations and predictions; folder/work holds the files.
struct Filled {
    TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobId> jobs;

    explicit Filled(const std::string& sweep = "rates") {
        std::filesystem::create_directories(folder.file("work"));
        std::vector<JobRow> rows;
        for (const char* loss : {"bce", "double_soft_f1"})
            for (const double hz : {50.0, 100.0})
                for (const int fold : {0, 1}) rows.push_back(job_row(fold, hz, loss));
        const SweepId id = store.register_sweep(sweep, "name: </pre><script>1</script>\n", "h");
        std::vector<FoldRow> folds;
        for (const int fold : {0, 1}) folds.push_back(fold_row(fold));
        store.record_folds(folds);
        jobs = store.upsert_jobs(id, rows);
        for (std::size_t i = 0; i < jobs.size(); ++i) finish_job(i);
    }

    FoldRow fold_row(int fold) const {
        FoldLists lists;
        lists.label_set = label_set("challenge2021");
        lists.record_count = 6;
        lists.class_count = 30;
        lists.labels.resize(180, 0);
        for (const std::size_t n : {0U, 2U, 4U}) lists.labels[n * 30 + 2] = 1;
        save_fold_lists(lists, folder.file("work/lists" + std::to_string(fold)));
        return {"lists of fold " + std::to_string(fold),
                "data",
                "challenge2021",
                fold,
                2,
                "stratified",
                42,
                "next",
                false,
                80,
                10,
                6,
                "lists" + std::to_string(fold)};
    }

    void finish_job(std::size_t i) {
        const AttemptId attempt = start(store, jobs[i]);
        const std::string path = folder.file("work/key/" + std::to_string(attempt.value));
        std::filesystem::create_directories(path);
        ArrayFile file;
        std::vector<float> logits(180, -3);
        for (const std::size_t n : {0U, 2U, 4U}) logits[n * 30 + 2] = 2;
        const std::vector<std::int32_t> records{0, 1, 2, 3, 4, 5};
        file.arrays["test_logits"] = NamedArray::of<float>(logits, {6, 30});
        file.arrays["test_records"] = NamedArray::of<std::int32_t>(records, {6});
        file.metadata = {{"label_set", "challenge2021"}};
        JobResult result = result_with_f1(0.3 + 0.01 * static_cast<double>(i));
        result.artifacts.push_back(
            {"predictions", "predictions.safetensors", save_arrays(file, path + "/predictions.safetensors"), 1});
        for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
            Epoch one;
            one.epoch = epoch;
            one.train_loss = 1.0 / static_cast<double>(epoch);
            one.validation_loss = 1.1 / static_cast<double>(epoch);
            one.macro_auroc = 0.5;
            result.epochs.push_back(one);
        }
        for (std::int64_t segment = 0; segment < 2; ++segment)
            result.lead_importance.push_back({"164889003", "V1", segment, 0.25, 0.3, 0.1, 10, 0.5});
        store.record_finished(attempt, result, {2.5, 50});
    }

    std::string page() const { return report_page(ReadStore::open(store.path()), {{}, folder.file("work"), false}); }
};

}  // namespace

TEST_CASE("The report has every section, and the same database gives the same bytes", "[report]") {
    const Filled filled;
    const std::string page = filled.page();
    for (const char* id : {"summary", "comparison", "figures", "classes", "curves", "calibration", "maps", "failures",
                           "cost", "provenance"})
        CHECK(holds(page, std::string("<h2 id=\"") + id + "\">"));
    CHECK(holds(page, "Best macro_f1: loss double_soft_f1, sampling_hz 100"));
    CHECK(holds(page, "\"abbr\":\"AF\""));
    CHECK_FALSE(holds(page, "http://www.w3.org/1999"));
    CHECK_FALSE(holds(page, " src="));
    CHECK_FALSE(holds(page, "rel=\"stylesheet\""));
    CHECK_FALSE(holds(page, "{{"));
    CHECK(page == filled.page());
    CHECK(page.size() < 200000);
}

TEST_CASE("Maps of records that were divided otherwise are not added up", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto page_of = [&](const std::string& sweep, const std::string& second_align) {
        std::vector<JobRow> rows;
        for (const std::string& align : {std::string("window"), second_align}) {
            JobSpec spec;
            spec.loss = rows.empty() ? "bce" : "focal";
            spec.explain.align = align;
            rows.push_back(job_row(spec, sweep));
        }
        for (const JobId job : store.upsert_jobs(store.register_sweep(sweep, "y", "h"), rows)) {
            const AttemptId attempt = start(store, job);
            JobResult result = result_with_f1(0.4);
            for (std::int64_t segment = 0; segment < 4; ++segment)
                result.lead_importance.push_back({"164889003", "V1", segment, 0.25, 0.3, 0.1, 10, 0.5});
            store.record_finished(attempt, result, {2.5, 50});
        }
        return report_page(ReadStore::open(store.path()), {{sweep}, folder.file("work"), false});
    };
    const std::string alike = page_of("alike", "window");
    CHECK(holds(alike, "all configurations together"));
    CHECK(holds(alike, "\"0-1 s\""));
    const std::string other = page_of("other", "beats");
    CHECK_FALSE(holds(other, "all configurations together"));
    CHECK(holds(other, "\"QRS\""));
    CHECK(holds(other, "\"0-1 s\""));
}

TEST_CASE("A sweep named <script> does nothing", "[report]") {
    const Filled filled("<script>alert(1)</script>");
    const std::string page = filled.page();
    CHECK_FALSE(holds(page, "<script>alert"));
    CHECK_FALSE(holds(page, "<script>1"));
    CHECK(holds(page, "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>"));
}

TEST_CASE("Predictions that are gone are named, and the rest of the report is there", "[report]") {
    const Filled filled;
    std::filesystem::remove_all(filled.folder.file("work/key"));
    const std::string page = filled.page();
    CHECK(holds(page, "Predictions of 8 jobs cannot be used"));
    CHECK(holds(page, "predictions.safetensors"));
    CHECK(holds(page, "<h2 id=\"maps\">"));
    CHECK_FALSE(holds(page, "data-figures=\"calibration\""));
    CHECK_THROWS_AS(load_test_predictions(ReadStore::open(filled.store.path()), filled.folder.file("work"), 999),
                    InputError);
}

TEST_CASE("Predictions that were changed are named, not drawn", "[report]") {
    const Filled filled;
    for (const auto& file : std::filesystem::recursive_directory_iterator(filled.folder.file("work/key")))
        if (file.is_regular_file()) {
            std::ofstream(file.path(), std::ios::app) << "x";
            break;
        }
    const std::string page = filled.page();
    CHECK(holds(page, "Predictions of 1 job cannot be used"));
    CHECK(holds(page, "has changed since it was made"));
    CHECK(holds(page, "data-figures=\"calibration\""));
}

TEST_CASE("A sweep without results has a report that says so", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{job_row(0, 75, "bce")});
    const std::string page = report_page(ReadStore::open(store.path()), {});
    CHECK(holds(page, "No job of this sweep is finished yet."));
    CHECK_FALSE(holds(page, "<h2 id=\"comparison\">"));
}

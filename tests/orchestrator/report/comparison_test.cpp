#include <cmath>
#include <functional>

#include "orchestrator/report/comparison.hpp"
#include "orchestrator/report/verdict.hpp"
#include "shared/core/errors.hpp"
#include "shared/ecg/classes.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

/// Ten folds of two losses at two rates; values by a function of loss, rate and fold.
struct Sweep {
    TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobRow> rows;
    std::vector<JobId> jobs;

    explicit Sweep(const std::function<double(bool is_soft, bool is_fast, int fold)>& value, int folds = 10) {
        for (const bool is_soft : {false, true})
            for (const bool is_fast : {true, false})
                for (int fold = 0; fold < folds; ++fold)
                    rows.push_back(job_row(fold, is_fast ? 500 : 75, is_soft ? "double_soft_f1" : "bce"));
        jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
        std::size_t next = 0;
        for (const bool is_soft : {false, true})
            for (const bool is_fast : {true, false})
                for (int fold = 0; fold < folds; ++fold)
                    finish(store, jobs[next++], result_with_f1(value(is_soft, is_fast, fold)));
    }
    ReadStore reader() const { return ReadStore::open(store.path()); }
};

/// A clear gain of the soft loss, none of the rate; folds differ among themselves.
double clear_gain(bool is_soft, bool is_fast, int fold) {
    return 0.4 + 0.01 * std::sin(fold) + (is_soft ? 0.05 : 0) + (is_fast ? 0.002 : 0) * std::cos(3 * fold) +
           (is_soft ? 0.003 * std::cos(2 * fold) : 0);
}

std::vector<std::vector<bool>> marks_of(const Table& table) {
    std::vector<std::vector<bool>> marks;
    for (const auto& row : table.rows) {
        marks.emplace_back();
        for (const Cell& cell : row) marks.back().push_back(cell.is_best);
    }
    return marks;
}

}  // namespace

TEST_CASE("The best and all that cannot be told from it are marked, nothing else", "[report]") {
    const Sweep sweep(clear_gain);
    const Table table = comparison_table(sweep.reader(), {});
    CHECK(marks_of(table) == std::vector<std::vector<bool>>{{false, false, false}, {false, true, true}});
    CHECK(holds(table.caption, "Smallest detectable difference with 10 folds (power 0.8): "));
    CHECK(holds(table.notes.at(0), "Holm over the 3 tests of a metric, level 0.05"));
}

TEST_CASE("A baseline gives paired differences, each compared with the configuration that shares its other settings",
          "[report]") {
    const Sweep sweep(clear_gain);
    TableRequest request;
    request.baseline = {{"loss", "bce"}};
    const Table table = comparison_table(sweep.reader(), request);
    REQUIRE(table.rows.size() == 4);
    CHECK(table.columns.at(3).header == "difference");
    CHECK(table.rows[0][3].text == "baseline");
    CHECK(table.rows[1][3].text == "baseline");
    for (const std::size_t row : {2U, 3U}) {
        CHECK(std::get<double>(table.rows[row][3].values.at(0)) == Approx(0.05).margin(0.002));
        CHECK(std::get<std::int64_t>(table.rows[row][3].values.at(3)) == 10);
        CHECK(std::get<double>(table.rows[row][4].values.at(0)) < 1e-6);
        // Holm: the smaller of two p values doubles.
        CHECK(std::get<double>(table.rows[row][5].values.at(0)) >= std::get<double>(table.rows[row][4].values.at(0)));
        CHECK(table.rows[row][5].is_best);
        CHECK(std::get<double>(table.rows[row][6].values.at(2)) > 0.99);
    }
    request.baseline = {{"loss", "bce"}, {"sampling_hz", "500.0"}};
    CHECK(comparison_table(sweep.reader(), request).rows[1][3].text.starts_with("-0.00"));
    request.baseline = {{"los", "bce"}};
    CHECK(holds(refusal([&] { comparison_table(sweep.reader(), request); }), "did you mean 'loss'?"));
    request.baseline = {{"loss", "focal"}};
    CHECK(holds(refusal([&] { comparison_table(sweep.reader(), request); }), "no configuration has loss=focal"));
}

TEST_CASE("Of one fold nothing is tested, and the table says so", "[report]") {
    const Sweep sweep(clear_gain, 1);
    const Table table = comparison_table(sweep.reader(), {});
    CHECK(marks_of(table) == std::vector<std::vector<bool>>{{false, false, false}, {false, false, false}});
    CHECK(holds(render(table, TableFormat::kText), "Nothing is tested and nothing marked"));
    TableRequest request;
    request.baseline = {{"loss", "bce"}};
    const Table differences = comparison_table(sweep.reader(), request);
    CHECK(differences.rows[2][4].text == "one fold");
    CHECK(holds(render(differences, TableFormat::kText), "one fold: no test."));
}

TEST_CASE("Configurations tested on other records are never paired", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobRow> rows;
    for (const char* loss : {"bce", "focal"})
        for (int fold = 0; fold < 3; ++fold) {
            rows.push_back(job_row(fold, 100, loss));
            rows.back().lists_digest = std::string(loss) + std::to_string(fold);
        }
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    for (std::size_t i = 0; i < jobs.size(); ++i)
        finish(store, jobs[i], result_with_f1(0.4 + 0.01 * static_cast<double>(i)));
    const ReadStore reader = ReadStore::open(store.path());
    CHECK(holds(render(comparison_table(reader, {}), TableFormat::kText), "1 comparisons with the best are left out"));
    TableRequest request;
    request.baseline = {{"loss", "bce"}};
    const Table table = comparison_table(reader, request);
    CHECK(table.rows[1][3].text == "not paired");
    CHECK(holds(render(table, TableFormat::kText), "tested on other folds or data than the baseline"));
}

TEST_CASE("Seeds of one fold are averaged: they are no further folds", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobRow> rows;
    for (const char* loss : {"bce", "focal"})
        for (int seed = 1; seed <= 2; ++seed)
            for (int fold = 0; fold < 3; ++fold) {
                JobSpec spec;
                spec.loss = loss;
                spec.seed = seed;
                spec.fold = fold;
                rows.push_back(job_row(spec));
            }
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    for (std::size_t i = 0; i < jobs.size(); ++i)
        finish(store, jobs[i], result_with_f1(0.4 + 0.01 * static_cast<double>(i % 5)));
    TableRequest request;
    request.baseline = {{"loss", "bce"}};
    const ReadStore reader = ReadStore::open(store.path());
    const Table table = comparison_table(reader, request);
    REQUIRE(table.rows.size() == 2);
    CHECK(std::get<std::int64_t>(table.rows[1][3].values.at(3)) == 3);
    CHECK(std::get<std::int64_t>(table.rows[1][2].values.at(4)) == 6);
    CHECK(holds(render(table, TableFormat::kText), "Repeats are pooled: seed."));
    request.baseline.clear();
    request.rows = {"loss", "seed"};
    CHECK(comparison_table(reader, request).rows.size() == 4);
}

TEST_CASE("Macro figures are paired over the classes that every fold has positives of", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobRow> rows;
    for (const char* loss : {"bce", "focal"})
        for (int fold = 0; fold < 3; ++fold) rows.push_back(job_row(fold, 100, loss));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const double gain = i < 3 ? 0 : 0.1;
        const bool has_rare = i % 3 == 0;
        JobResult result;
        result.n_train = 80;
        result.n_test = 10;
        result.metrics.push_back({"test", "164889003", "f1", 0.5 + gain + 0.01 * static_cast<double>(i % 3), 4});
        result.metrics.push_back(
            {"test", "10370003", "f1", has_rare ? std::optional(0.1 - gain) : std::nullopt, has_rare ? 1 : 0});
        result.metrics.push_back({"test", "", "macro_f1", has_rare ? 0.3 : 0.5 + gain, 5});
        finish(store, jobs[i], result);
    }
    TableRequest request;
    request.baseline = {{"loss", "bce"}};
    const Table table = comparison_table(ReadStore::open(store.path()), request);
    CHECK(std::get<double>(table.rows[1][3].values.at(0)) == Approx(0.1));
    CHECK(holds(render(table, TableFormat::kText), "differences are over the 1 of 2 classes"));
}

TEST_CASE("One row a class: positives of each tested fold count once, missing classes stay unmarked", "[report]") {
    const Sweep sweep(clear_gain);
    TableRequest request;
    request.metrics = {"auroc"};
    request.per_class = true;
    const Table table = comparison_table(sweep.reader(), request);
    REQUIRE(table.rows.size() == 2);
    CHECK(table.columns.at(3).header == "bce, 500");
    const auto af = table.rows[0][0].text == "AF" ? 0U : 1U;
    CHECK(std::get<std::int64_t>(table.rows[af][2].values.at(0)) == 40);
    CHECK_FALSE(table.rows[af][3].is_best);
    CHECK(table.rows[af][5].is_best);
    CHECK(holds(table.rows[1 - af][3].text, "(0 of 10)"));
    request.sort = "positives";
    CHECK(comparison_table(sweep.reader(), request).rows[0][0].text == "AF");
}

TEST_CASE("Rows are sorted by a metric or a setting", "[report]") {
    const Sweep sweep(clear_gain);
    TableRequest request;
    request.sort = "macro_f1";
    CHECK(comparison_table(sweep.reader(), request).rows[0][0].text == "double_soft_f1");
    request.rows = {"sampling_hz"};
    request.columns = "loss";
    request.sort = "sampling_hz";
    CHECK(comparison_table(sweep.reader(), request).rows[0][0].text == "75");
    request.sort = "depth";
    CHECK(holds(refusal([&] { comparison_table(sweep.reader(), request); }), "cannot sort by 'depth'"));
}

TEST_CASE("Provenance names jobs and a digest that changes with the results, not with the file", "[report]") {
    Sweep sweep(clear_gain);
    TableRequest request;
    request.has_provenance = true;
    const std::string first = render(comparison_table(sweep.reader(), request), TableFormat::kMarkdown);
    CHECK(holds(first, "bce; sampling\\_hz 500: jobs 1-10."));
    CHECK(holds(first, "Results digest: sha256 "));
    sweep.store.write_copy(sweep.folder.file("copy.sqlite"));
    CHECK(render(comparison_table(ReadStore::open(sweep.folder.file("copy.sqlite")), request),
                 TableFormat::kMarkdown) == first);
    const Sweep other([](bool is_soft, bool is_fast, int fold) {
        return clear_gain(is_soft, is_fast, fold) + (fold == 3 && is_soft ? 1e-9 : 0);
    });
    CHECK(render(comparison_table(other.reader(), request), TableFormat::kMarkdown) != first);
}

TEST_CASE("The winner is named with what cannot be told from it", "[report]") {
    const Sweep sweep(clear_gain);
    const ReadStore reader = sweep.reader();
    const Selection selection = select_jobs(reader, {});
    const Layout layout = lay_out(selection, {}, "");
    const std::string words =
        in_words(judge(Figures(reader, selection), selection, groups_of(selection, layout), "macro_f1"), layout);
    CHECK(holds(words, "Best macro_f1: loss double_soft_f1, sampling_hz "));
    CHECK(holds(words, "over 10 folds. 1 of the 3 others cannot be told from it: double_soft_f1, "));
    const Sweep one(clear_gain, 1);
    const ReadStore other = one.reader();
    const Selection few = select_jobs(other, {});
    const Layout small = lay_out(few, {}, "");
    CHECK(holds(in_words(judge(Figures(other, few), few, groups_of(few, small), "macro_f1"), small),
                "One fold only: no test"));
}

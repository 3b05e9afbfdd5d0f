#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "orchestrator/report/comparison.hpp"
#include "orchestrator/report/map.hpp"
#include "orchestrator/report/map_difference_table.hpp"
#include "orchestrator/report/part_map.hpp"
#include "orchestrator/report/query.hpp"
#include "orchestrator/report/status.hpp"
#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

/// A sweep of 2 rates x 2 losses x 2 folds; bce at 500 Hz lacks a fold.
struct Filled {
    TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobId> jobs;

    Filled() {
        std::vector<JobRow> rows;
        for (const double hz : {500.0, 75.0})
            for (const char* loss : {"bce", "double_soft_f1"})
                for (const int fold : {0, 1}) rows.push_back(job_row(fold, hz, loss));
        jobs = store.upsert_jobs(store.register_sweep("rates", "y", "h"), rows);
        const double f1[] = {0.30, -1, 0.40, 0.42, 0.36, 0.38, 0.41, 0.45};
        for (std::size_t i = 0; i < jobs.size(); ++i)
            if (f1[i] >= 0) finish(store, jobs[i], result_with_f1(f1[i]));
    }
    ReadStore reader() const { return ReadStore::open(store.path()); }
};

LeadImportance importance(const std::string& code, const std::string& lead, double value, std::int64_t n, double r2) {
    return {code, lead, 0, value, std::abs(value), 0.1, n, r2};
}

}  // namespace

TEST_CASE("The comparison table gives mean and interval over folds, and says where folds are missing", "[report]") {
    const Filled filled;
    CHECK(render(comparison_table(filled.reader(), {}), TableFormat::kText) ==
          "macro_f1 of the tested folds, mean [corrected 95 % interval]; sweep rates. Smallest detectable difference "
          "with 2 "
          "folds (power 0.8): 0.183.\n"
          "\n"
          "loss                  sampling_hz 500         sampling_hz 75\n"
          "──────────────  ─────────────────────  ─────────────────────\n"
          "bce                   0.300 (1 of 2)   0.370 [0.228, 0.512]*\n"
          "double_soft_f1  0.410 [0.268, 0.552]*  0.430 [0.146, 0.714]*\n"
          "\n"
          "Marked: the best of each metric, and all that cannot be told from it (corrected paired t-test of Nadeau and "
          "Bengio, "
          "Holm over the 2 tests of a metric, level 0.05).\n"
          "(n of k): only n of k folds have a value; such cells are never marked best.\n");
    TableRequest plain;
    plain.spread = Spread::kSd;
    CHECK(holds(render(comparison_table(filled.reader(), plain), TableFormat::kText), "0.430 ± 0.028*"));
}

TEST_CASE("Rows, columns, metrics and conditions can be any setting", "[report]") {
    const Filled filled;
    TableRequest request;
    request.rows = {"sampling_hz", "loss"};
    request.columns = "";
    request.metrics = {"macro_f1", "auroc:AF"};
    request.filter.where = {where_from("sampling_hz=75.0"), where_from("fold = 1")};
    CHECK(render(comparison_table(filled.reader(), request), TableFormat::kCsv) ==
          "sampling_hz,loss,macro_f1 mean,macro_f1 sd,macro_f1 low,macro_f1 high,macro_f1 n,macro_f1 of,macro_f1 "
          "is_leaky,"
          "auroc:AF mean,auroc:AF sd,auroc:AF low,auroc:AF high,auroc:AF n,auroc:AF of,auroc:AF is_leaky\r\n"
          "75,bce,0.38,,,,1,1,0,0.5800000000000001,,,,1,1,0\r\n"
          "75,double_soft_f1,0.45,,,,1,1,0,0.65,,,,1,1,0\r\n");
}

TEST_CASE(
    "Other settings that differ get a column, unless the ones shown fix them; leaky groups and other devices are "
    "marked",
    "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobRow> rows;
    for (const int depth : {6, 9}) {
        JobSpec spec;
        spec.model.depth = depth;
        spec.train.batch = depth == 6 ? 32 : 64;  // follows depth
        spec.folds.validation = "tested";
        rows.push_back(job_row(spec));
    }
    JobSpec honest;
    honest.model.depth = 12;
    honest.train.batch = 64;
    rows.push_back(job_row(honest));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    finish(store, jobs[0], result_with_f1(0.6));
    finish(store, jobs[1], result_with_f1(0.7), "cuda");
    finish(store, jobs[2], result_with_f1(0.5));
    const Table table = comparison_table(ReadStore::open(store.path()), {});
    CHECK(render(table, TableFormat::kText) ==
          "macro_f1 of the tested folds, mean [corrected 95 % interval]; sweep s.\n"
          "\n"
          "loss  folds.validation  model.depth  sampling_hz 500\n"
          "────  ────────────────  ───────────  ───────────────\n"
          "bce   tested            6                     0.600†\n"
          "bce   tested            9                    0.700†‡\n"
          "bce   next              12                     0.500\n"
          "\n"
          "Nothing is tested and nothing marked: a test needs two configurations, each with two or more folds tested "
          "on the same "
          "records and known numbers of training records.\n"
          "†: leaky, the tested fold steers training (folds.validation: tested).\n"
          "‡: computed on another kind of device than most cells (cpu); results of cpu, cuda are compared.\n"
          "Differs too, but follows the settings shown: train.batch.\n");
}

TEST_CASE("Stale jobs are never averaged in, and the latest sweep is taken where none is named", "[report]") {
    Filled filled;
    const auto rows = std::vector{job_row(0, 75, "bce", "grown data")};
    const auto jobs = filled.store.upsert_jobs(filled.store.register_sweep("other", "y", "h"), rows);
    finish(filled.store, jobs[0], result_with_f1(0.9));
    filled.store.upsert_jobs(filled.store.register_sweep("rates", "y", "h2"), rows);
    TableRequest request;
    request.filter.where = {where_from("loss=bce"), where_from("sampling_hz=75")};
    request.spread = Spread::kSd;
    const std::string text = render(comparison_table(filled.reader(), request), TableFormat::kText);
    CHECK(holds(text, "sweep rates"));
    CHECK(holds(text, "0.640 ± 0.368"));  // of 0.9 (fold 0, new data) and 0.38 (fold 1), not the stale 0.36
    CHECK(holds(text, "1 stale jobs"));
    CHECK(holds(text, "the latest of 2"));
}

TEST_CASE("Wrong names are refused with the nearest right one", "[report]") {
    const Filled filled;
    const ReadStore reader = filled.reader();
    const auto told = [&](const JobFilter& filter, const std::string& metric = "macro_f1") {
        TableRequest request;
        request.filter = filter;
        request.metrics = {metric};
        return refusal([&] { comparison_table(reader, request); });
    };
    CHECK(holds(told({"rate", {}}), "did you mean 'rates'?"));
    CHECK(holds(told({"", {{"los", "bce"}}}), "did you mean 'loss'?"));
    CHECK(holds(told({"", {{"loss", "focal"}}}), "no job of sweep rates has loss=focal"));
    CHECK(holds(told({}, "macro_fl"), "did you mean 'macro_f1'?"));
    CHECK(holds(told({}, "auroc:AFF"), "unknown class 'AFF'"));
    CHECK(holds(refusal([] { where_from("loss"); }), "expected key=value"));
    const TemporaryFolder folder;
    ResultStore::open(folder.file("b.sqlite"));
    CHECK(holds(refusal([&] { comparison_table(ReadStore::open(folder.file("b.sqlite")), {}); }), "no sweep yet"));
}

TEST_CASE("The lead map pools folds by their records; what was not explained stays empty", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"),
                                        std::vector{job_row(0, 75, "bce"), job_row(1, 75, "bce")});
    JobResult one;
    one.lead_importance = {importance("164889003", "V1", 0.4, 10, 0.5), importance("164889003", "II", -0.2, 10, 0.5),
                           importance("713427006|59118001", "V1", 1.0, 50, 0.9), importance("10370003", "V1", 0, 0, 0)};
    JobResult two;
    two.lead_importance = {importance("164889003", "V1", 1.0, 30, 0.7), importance("164889003", "II", 0.0, 30, 0.7)};
    finish(store, jobs[0], one);
    finish(store, jobs[1], two);
    const ReadStore reader = ReadStore::open(store.path());
    const LeadMap map = lead_map(reader, {});
    REQUIRE(map.classes.size() == 2);
    CHECK(map.classes[0].abbreviation == "CRBBB|RBBB");
    CHECK(map.classes[1].n == 40);
    CHECK(map.classes[1].r2.value() == Approx(0.65));
    CHECK(map.classes[1].importance[6].value() == Approx(0.85));
    CHECK(map.leads[map.classes[1].top_lead.value()] == "V1");
    CHECK(render(map, TableFormat::kCsv, false) ==
          "class,code,I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6,n,R2,top lead,stability,p\r\n"
          "CRBBB|RBBB,713427006|59118001,,,,,,,1,,,,,,50,0.9,V1,,\r\n"
          "AF,164889003,,-0.05,,,,,0.85,,,,,,40," +
              shortest(map.classes[1].r2.value()) + ",V1,,\r\n");
    CHECK(render(map, TableFormat::kText, false) ==
          "Lead importance on the logit (signed, sum over segments, mean over records); sweep s\n"
          "\n"
          "class       code                I     II  III  aVR  aVL  aVF      V1  V2  V3  V4  V5  V6   n    R2  top "
          "lead  stability  p\n"
          "──────────  ──────────────────  ─  ─────  ───  ───  ───  ───  ──────  ──  ──  ──  ──  ──  ──  ────  "
          "────────  ─────────  "
          "─\n"
          "CRBBB|RBBB  713427006|59118001                                +1.00*                      50  0.90  V1\n"
          "AF          164889003              -0.05                      +0.85*                      40  0.65  V1\n"
          "\n"
          "Not tested against chance: that needs two explained folds and two classes.\n"
          "Empty cells: this lead was not explained for this class.\n");
    const std::string coloured = render(map, TableFormat::kText, true);
    CHECK(holds(coloured, "\x1b[48;5;166;38;5;231m  +1.00 \x1b[0m"));  // the far end of orange
    CHECK(holds(coloured, "\x1b[48;5;255;38;5;16m  -0.05 \x1b[0m"));   // near white
    CHECK(holds(render(lead_map(reader, {{}, {"AF"}}), TableFormat::kMarkdown, false), "| AF | 164889003 |"));
    CHECK(holds(refusal([&] { lead_map(reader, {{}, {"AFL"}}); }), "'AFL', did you mean 'AF'?"));
}

TEST_CASE("A map that does not beat its null says so in its title; one that does is not marked", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobRow> rows;
    for (int fold = 0; fold < 4; ++fold) rows.push_back(job_row(fold, 75, "bce"));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    const std::vector<std::string> codes{"164889003", "10370003", "713427006|59118001", "270492004"};
    std::mt19937 random(2);
    std::normal_distribution<double> noise;
    for (std::size_t fold = 0; fold < jobs.size(); ++fold) {
        JobResult result;
        for (std::size_t k = 0; k < codes.size(); ++k)
            for (std::size_t lead = 0; lead < 12; ++lead) {
                // The last class has nothing of its own; the others peak in leads of their own.
                const double own = k < 3 && lead / 4 == k ? 5 + static_cast<double>(lead) : 0;
                result.lead_importance.push_back(
                    importance(codes[k], std::string(kLeadNames[lead]), own + 3 * noise(random), 5, 0.5));
            }
        result.lead_importance.push_back({"426783006", "I", 0, 0, 0, 0, 0, std::nullopt, 0, 3});
        result.metrics.push_back({"test", "164909002", "auroc", std::nullopt, 0});
        finish(store, jobs[fold], result);
    }
    const LeadMap map = lead_map(ReadStore::open(store.path()), {});
    REQUIRE(map.classes.size() == 4);
    CHECK(holds(map.caption, "1 of 4 classes are no better than chance (°)"));
    for (const MapClass& one : map.classes) CHECK(is_chance(one) == (one.code == codes[3]));
    const std::string text = render(map, TableFormat::kText, false);
    CHECK(holds(text, "No map, for want of positives in the tested folds: LBBB."));
    CHECK(holds(text, "IAVB °"));
    const std::string picture = draw_map(map);
    CHECK(holds(picture, ">IAVB °</text>"));
    CHECK(holds(picture, "<svg xmlns"));
    // One class against all: nothing is left to be told apart from.
    CHECK(holds(refusal([&] { lead_map(ReadStore::open(store.path()), {{}, {"LBBB"}}); }), "LBBB"));
}

TEST_CASE("Electrodes have a map of nine rows, and are not pooled with leads", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"),
                                        std::vector{job_row(0, 75, "bce"), job_row(1, 75, "bce")});
    JobResult one;
    one.lead_importance = {importance("164889003", "RA", 0.4, 10, 0.5), importance("164889003", "V1", -0.2, 10, 0.5)};
    finish(store, jobs[0], one);
    const LeadMap map = lead_map(ReadStore::open(store.path()), {});
    CHECK(map.leads.size() == 9);
    CHECK(map.leads[map.classes.at(0).top_lead.value()] == "RA");
    CHECK(holds(map.caption, "Electrode importance on the logit"));
    JobResult two;
    two.lead_importance = {importance("164889003", "II", 0.4, 10, 0.5)};
    finish(store, jobs[1], two);
    CHECK(holds(refusal([&] { lead_map(ReadStore::open(store.path()), {}); }), "--where explain.space=leads"));
}

TEST_CASE("Two configurations' maps are compared fold by fold", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    std::vector<JobRow> rows;
    for (const char* loss : {"bce", "focal"})
        for (int fold = 0; fold < 7; ++fold) rows.push_back(job_row(fold, 75, loss));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    std::mt19937 random(2);
    std::normal_distribution<double> noise;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        JobResult result;
        for (std::size_t lead = 0; lead < 12; ++lead)
            result.lead_importance.push_back(importance("164889003", std::string(kLeadNames[lead]),
                                                        noise(random) + (i >= 7 && lead == 6 ? 20 : 0), 5, 0.5));
        finish(store, jobs[i], result);
    }
    const ReadStore reader = ReadStore::open(store.path());
    const MapRequest request{{"", {{"loss", "bce"}}}, {}};
    const Table table = map_difference_table(reader, request, {{"loss", "focal"}});
    REQUIRE(table.rows.size() == 1);
    for (std::size_t lead = 0; lead < 12; ++lead) CHECK(table.rows[0][lead + 1].is_best == (lead == 6));
    CHECK(holds(table.caption, "Importance with loss=focal less that with loss=bce; mean over 7 pairs"));
    CHECK(holds(refusal([&] { map_difference_table(reader, {}, {{"loss", "focal"}}); }), "they differ in loss"));
}

TEST_CASE("One class in detail: leads by parts, pooled over jobs by their records", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"),
                                        std::vector{job_row(0, 75, "bce"), job_row(1, 75, "bce")});
    JobResult one;
    JobResult two;
    one.lead_importance = {{"164889003", "V1", 0, 0.5, 0.5, 0, 10, 0.5, 0.6, 0},
                           {"164889003", "V1", 1, 2, 2, 0, 10, 0.5, 1, 0}};
    two.lead_importance = {{"164889003", "V1", 0, 1.5, 1.5, 0, 30, 0.5, 1, 0}};
    finish(store, jobs[0], one);
    finish(store, jobs[1], two);
    const ReadStore reader = ReadStore::open(store.path());
    const PartMap map = part_map(reader, {{}, {"AF"}});
    REQUIRE(map.parts.size() == 10);
    CHECK(map.parts[1] == "1-2 s");
    CHECK(map.n == 40);
    CHECK(map.importance[6][0].value() == Approx(1.25));
    CHECK(map.sign_agreement[6][0].value() == Approx(0.9));
    CHECK(map.importance[6][1].value() == Approx(2));
    CHECK_FALSE(map.importance[0][0]);
    INFO(render(as_table(map), TableFormat::kText));
    CHECK(holds(render(as_table(map), TableFormat::kText), "V1    +1.25  +2.00*"));
    CHECK(holds(draw_parts(map), ">+2.00</text>"));
    CHECK(holds(refusal([&] { part_map(reader, {}); }), "name it with --class"));
}

TEST_CASE("Without any explanation the map says so", "[report]") {
    const Filled filled;
    CHECK(holds(refusal([&] { lead_map(filled.reader(), {}); }), "explain.method must not be none"));
}

TEST_CASE("Colours are for terminals, and NO_COLOR is respected", "[report]") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    CHECK_FALSE(wants_colour(ends[1]));
    close(ends[0]);
    close(ends[1]);
    const int terminal = posix_openpt(2);  // O_RDWR
    if (terminal < 0) LEADSWEEP_SKIP("no pseudo terminal here");
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm-256color", 1);
    CHECK(wants_colour(terminal));
    setenv("NO_COLOR", "1", 1);
    CHECK_FALSE(wants_colour(terminal));
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    CHECK_FALSE(wants_colour(terminal));
    close(terminal);
}

TEST_CASE("A question is answered in every format, and one that writes is refused", "[report]") {
    const Filled filled;
    CHECK(run_query(filled.store.path(), "SELECT loss, fold, macro_f1, loss FROM runs WHERE job_id < 3",
                    TableFormat::kCsv) == "loss,fold,macro_f1,loss (2)\r\nbce,0,0.3,bce\r\nbce,1,,bce\r\n");
    CHECK(run_query(filled.store.path(), "SELECT 1 AS n", TableFormat::kText) == "n\n─\n1\n");
    CHECK(holds(refusal([&] { run_query(filled.store.path(), "DELETE FROM jobs", TableFormat::kText); }),
                "would change the database"));
}

TEST_CASE("Status counts jobs by state, and failures are listed with their logs", "[report]") {
    Filled filled;
    filled.store.record_failed(start(filled.store, filled.jobs[1]), FailureClass::kOomDevice, "out of\nmemory", true,
                               {3600, 20});
    const ReadStore reader = filled.reader();
    CHECK(render(state_table(reader), TableFormat::kCsv) ==
          "sweep,waiting,running,finished,failed,invalid,cancelled,stale,attempts,hours\r\n"
          "rates,0,0,7,1,0,0,0,8,1\r\n");
    CHECK(render(failure_table(reader, "rates", 10), TableFormat::kText) ==
          "Failed attempts of sweep rates\n"
          "\n"
          "job  attempt  class       job is now  message        node   log\n"
          "───  ───────  ──────────  ──────────  ─────────────  ─────  ───────────────────\n"
          "  2        8  oom_device  failed      out of memory  node1  worker-3.log:100+20\n");
    CHECK(failure_table(reader, "another", 10).rows.empty());
}

#include <cmath>

#include "orchestrator/store/read_store.hpp"
#include "orchestrator/store/result_store.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

TEST_CASE("Views give the figures of the attempt that counts", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"),
                                        std::vector{job_row(0, 75, "bce"), job_row(1, 75, "bce")});
    finish(store, jobs[0], result_with_f1(0.4));
    const ReadStore reader = ReadStore::open(store.path());
    const auto runs = reader.ask(
        "SELECT fold, sampling_hz, loss, model, seed, state, attempts, seconds, n_test, n_classes, macro_f1, accuracy, "
        "macro_auroc FROM runs ORDER BY fold");
    using I = std::int64_t;
    CHECK(runs.rows[0] == std::vector<SqlValue>{I{0}, 75.0, "bce", "inception", I{1}, "finished", I{1}, 2.5, I{10},
                                                I{5}, 0.4, 0.95, std::monostate{}});
    CHECK(runs.rows[1][5] == SqlValue("waiting"));
    CHECK(runs.rows[1][10] == SqlValue(std::monostate{}));
    const auto scores = reader.ask(
        "SELECT class_abbr, value, n_positive FROM scores WHERE metric = 'auroc' AND split = 'test' ORDER BY "
        "class_code");
    REQUIRE(scores.rows.size() == 2);
    CHECK(scores.rows[0] == std::vector<SqlValue>{"PR", std::monostate{}, I{0}});
    CHECK(as_text(scores.rows[1][0]) == "AF");
    CHECK(as_number(scores.rows[1][1]).value() == Approx(0.6));
}

TEST_CASE("Lead importance is summed over segments and averaged over records, then ranked", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"),
                                        std::vector{job_row(0, 75, "bce"), job_row(1, 75, "bce")});
    const std::string code = "713427006|59118001";
    JobResult one;
    one.lead_importance = {{code, "V1", 0, 0.5, 0.6, 0, 10, 0.5},
                           {code, "V1", 1, -0.1, 0.2, 0, 10, 0.5},
                           {code, "II", 0, 0.1, 0.1, 0, 10, 0.5},
                           {"10370003", "V1", 0, 0.0, 0.0, 0, 0, 0.0}};
    JobResult two;
    two.lead_importance = {{code, "V1", 0, 1.0, 1.0, 0, 30, 0.5}, {code, "II", 0, -0.3, 0.3, 0, 30, 0.5}};
    finish(store, jobs[0], one);
    finish(store, jobs[1], two);
    const auto answer = ReadStore::open(store.path())
                            .ask(
                                "SELECT class_abbr, lead, importance, magnitude, sd, n, rank FROM "
                                "lead_importance_by_class ORDER BY rank");
    REQUIRE(answer.rows.size() == 2);  // the class without explained records is left out
    const auto& v1 = answer.rows[0];
    CHECK(as_text(v1[0]) == "CRBBB|RBBB");
    CHECK(as_text(v1[1]) == "V1");
    CHECK(as_number(v1[2]).value() == Approx((10 * 0.4 + 30 * 1.0) / 40));
    CHECK(as_number(v1[3]).value() == Approx((10 * 0.8 + 30 * 1.0) / 40));
    CHECK(as_number(v1[4]).value() == Approx(std::sqrt(2 * 0.3 * 0.3)));  // of 0.4 and 1.0, divided by n - 1
    CHECK(as_integer(v1[5]) == 40);
    const auto& ii = answer.rows[1];
    CHECK(as_number(ii[2]).value() == Approx((10 * 0.1 - 30 * 0.3) / 40));
    CHECK(as_integer(ii[6]) == 2);
}

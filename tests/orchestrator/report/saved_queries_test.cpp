#include "orchestrator/report/saved_queries.hpp"

#include <fstream>
#include <sstream>

#include "orchestrator/report/query.hpp"
#include "shared/core/errors.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

struct Filled {
    TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    Filled() {
        const auto jobs = store.upsert_jobs(
            store.register_sweep("s", "y", "h"),
            std::vector{job_row(0, 75, "bce"), job_row(0, 75, "double_soft_f1"), job_row(0, 500, "bce")});
        for (const JobId job : jobs) finish(store, job, result_with_f1(0.4));
    }
};

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("Every question that comes with the program is answered, and stands in results/README.md", "[report]") {
    const Filled filled;
    const ReadStore reader = ReadStore::open(filled.store.path());
    const std::string readme = text_of(LEADSWEEP_SOURCE_DIR "/results/README.md");
    int asked = 0;
    for (const SavedQuery& query : saved_queries(queries_folder(filled.store.path()))) {
        INFO(query.name);
        CHECK_NOTHROW(query_table(reader, query.sql));
        CHECK_FALSE(query.about.empty());
        CHECK(readme.find(query.about) != std::string::npos);
        CHECK(readme.find(query.sql.substr(query.sql.find('\n') + 1)) != std::string::npos);
        ++asked;
    }
    CHECK(asked == 10);
}

TEST_CASE("Own questions are kept beside the database and come first", "[report]") {
    const TemporaryFolder folder;
    const std::string place = folder.file("a.sqlite.queries");
    save_query(place, "mine", "-- What I ask\nSELECT 1");
    save_query(place, "means", "SELECT 2");
    CHECK(find_query(place, "mine").about == "What I ask");
    CHECK(find_query(place, "means").sql == "SELECT 2\n");
    CHECK(saved_queries(place).at(0).is_own);
    CHECK(saved_queries(place).size() == 11);
    CHECK_THROWS_AS(save_query(place, "../mine", "SELECT 1"), InputError);
    CHECK_THROWS_AS(save_query(place, ".hidden", "SELECT 1"), InputError);
    CHECK_THROWS_WITH(find_query(place, "mean"), ContainsText("did you mean 'means'?"));
}

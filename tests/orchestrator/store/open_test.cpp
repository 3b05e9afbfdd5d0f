#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include <SQLiteCpp/SQLiteCpp.h>

#include "orchestrator/store/connection.hpp"
#include "orchestrator/store/migrations.hpp"
#include "orchestrator/store/read_store.hpp"
#include "orchestrator/store/result_store.hpp"
#include "orchestrator/store/store_lock.hpp"
#include "shared/core/files.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

TEST_CASE("results/schema.sql is the schema that migrations make", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    ResultStore::open(path);
    const std::string schema = ReadStore::open(path).schema();
    const std::string kept = std::string(LEADSWEEP_SOURCE_DIR) + "/results/schema.sql";
    const std::string made = std::string(LEADSWEEP_BINARY_DIR) + "/schema.sql";
    write_file_durably(made, schema);
    INFO("they differ: compare " << kept << " with " << made << ", which is what the migrations make");
    const bool is_same = schema == read_file(kept);
    CHECK(is_same);
}

TEST_CASE("Views have the columns that results/README.md promises", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    ResultStore::open(path);
    const ReadStore reader = ReadStore::open(path);
    using Names = std::vector<std::string>;
    CHECK(reader.ask("SELECT * FROM runs").columns ==
          Names{"job_id",        "sweep",       "group_id",        "fold",
                "sampling_hz",   "loss",        "model",           "seed",
                "state",         "attempts",    "seconds",         "n_test",
                "n_classes",     "macro_f1",    "accuracy",        "subset_accuracy",
                "macro_auroc",   "macro_auprc", "challenge_score", "macro_f1_30",
                "macro_f1_tuned"});
    CHECK(reader.ask("SELECT * FROM scores").columns == Names{"job_id", "sweep", "fold", "sampling_hz", "loss", "split",
                                                              "class_code", "class_abbr", "metric", "value",
                                                              "n_positive"});
    CHECK(reader.ask("SELECT * FROM lead_importance_by_class").columns ==
          Names{"sweep", "sampling_hz", "loss", "class_code", "class_abbr", "lead", "importance", "magnitude", "sd",
                "n", "rank"});
    CHECK(reader.ask("PRAGMA application_id").rows[0][0] == SqlValue(std::int64_t{0x4C535750}));
}

TEST_CASE("Files that are no database of leadsweep are refused with the reason, and left as they are", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    const auto both = [&](const std::string& part) {
        CHECK(holds(refusal([&] { ResultStore::open(path); }), part));
        CHECK(holds(refusal([&] { ReadStore::open(path); }), part));
    };
    SECTION("text") {
        std::ofstream(path) << std::string(5000, 'x');
        both("no SQLite database");
        CHECK(read_file(path) == std::string(5000, 'x'));
    }
    SECTION("another program's") {
        SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE notes (t)");
        both("belongs to another program");
    }
    SECTION("of a newer version") {
        ResultStore::open(path);
        SQLite::Database(path, SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
        both("version 99");
    }
    SECTION("missing") {
        CHECK(holds(refusal([&] { ReadStore::open(path); }), "no such database"));
        CHECK(holds(refusal([&] { ResultStore::open(path, {OpenMode::kExisting, {}}); }), "no such database"));
        CHECK_FALSE(std::filesystem::exists(path + ".lock"));
    }
    SECTION("empty") {
        std::ofstream(path).close();
        CHECK(holds(refusal([&] { ReadStore::open(path); }), "empty"));
    }
}

TEST_CASE("A second writer is refused and told who the first one is", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    {
        const ResultStore store = ResultStore::open(path);
        const std::string told = refusal([&] { ResultStore::open(path); });
        CHECK(holds(told, "in use by another leadsweep"));
        CHECK(holds(told, "pid " + std::to_string(getpid())));
        CHECK(holds(StoreLock::holder_of(path).value_or(""), "pid "));
    }
    CHECK_FALSE(StoreLock::holder_of(path));
    ResultStore::open(path);
}

TEST_CASE("A folder that cannot be written is said to be so, and can still be read", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    {
        ResultStore store = ResultStore::open(path);
        store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{job_row(0, 75, "bce")});
    }
    // Root may write anywhere: take on another user's rights.
    const bool is_root = geteuid() == 0;
    REQUIRE(chmod(path.c_str(), 0444) == 0);
    REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
    if (is_root) REQUIRE(seteuid(65534) == 0);
    std::string created;
    std::int64_t jobs = 0;
    try {
        ResultStore::open(folder.file("b.sqlite"));
    } catch (const FileError& error) {
        created = error.what();
    }
    try {
        jobs = as_integer(ReadStore::open(path).ask("SELECT count(*) FROM runs").rows[0][0]).value();
    } catch (const Error& error) {
        created += error.what();
    }
    if (is_root) REQUIRE(seteuid(0) == 0);
    REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
    CHECK(holds(created, "b.sqlite.lock: cannot open: Permission denied"));
    CHECK(jobs == 1);
}

TEST_CASE("A migration that fails leaves the version before it; earlier versions are backed up first", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    Connection connection(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    const std::vector<Migration> good = {{1, "CREATE TABLE one (x)"}, {2, "CREATE TABLE two (x)"}};
    const std::vector<Migration> bad = {good[0], {2, "CREATE TABLE two (x); CREATE TABLE one (x)"}};
    CHECK_THROWS_AS(migrate(connection, bad), StoreError);
    CHECK(connection.integer("PRAGMA user_version") == 1);
    CHECK(connection.integer("SELECT count(*) FROM sqlite_schema") == 1);
    CHECK_FALSE(std::filesystem::exists(path + ".v1.backup"));
    migrate(connection, good);
    CHECK(connection.integer("PRAGMA user_version") == 2);
    CHECK(std::filesystem::exists(path + ".v1.backup"));
    migrate(connection, good);
    CHECK(connection.integer("SELECT count(*) FROM sqlite_schema") == 2);
}

TEST_CASE("A reader sees what is committed while a writer is at work, and holds nobody up", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const SweepId sweep = store.register_sweep("s", "y", "h");
    const ReadStore reader = ReadStore::open(store.path());
    const auto jobs = [&] { return as_integer(reader.ask("SELECT count(*) FROM jobs").rows[0][0]).value(); };
    store.in_transaction([&] {
        store.upsert_jobs(sweep, std::vector{job_row(0, 75, "bce")});
        CHECK(jobs() == 0);
    });
    CHECK(jobs() == 1);
}

TEST_CASE("A question for what an earlier version lacks is told how to bring the database up to date", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    ResultStore::open(path);
    const auto asked = [&] { return refusal([&] { ReadStore::open(path).ask("SELECT new_column FROM jobs"); }); };
    CHECK(!holds(asked(), "doctor --repair"));
    SQLite::Database(path, SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 2");
    CHECK(holds(asked(), "no such column: new_column"));
    CHECK(holds(asked(), "schema version 2 of "));
    CHECK(holds(asked(), "doctor --repair"));
}

TEST_CASE("A reader that holds a state keeps it whatever is committed, and holds nobody up", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const SweepId sweep = store.register_sweep("s", "y", "h");
    const ReadStore reader = ReadStore::open(store.path());
    const auto jobs = [&] { return as_integer(reader.ask("SELECT count(*) FROM jobs").rows[0][0]).value(); };
    {
        const ReadStore::Hold one_state = reader.hold();
        store.upsert_jobs(sweep, std::vector{job_row(0, 75, "bce")});
        CHECK(jobs() == 0);
        CHECK_THROWS_AS(reader.ask("DELETE FROM jobs"), InputError);
    }
    CHECK(jobs() == 1);
}

TEST_CASE("One question is asked of many ids, each answer under its place", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto jobs =
        store.upsert_jobs(store.register_sweep("s", "y", "h"),
                          std::vector{job_row(0, 75, "bce"), job_row(1, 75, "bce"), job_row(2, 75, "bce")});
    const std::int64_t known = static_cast<std::int64_t>(jobs[2].value);
    const std::vector<std::int64_t> ids = {known, 999, static_cast<std::int64_t>(jobs[0].value), known};
    std::vector<std::pair<std::size_t, std::int64_t>> answers;
    ReadStore::open(store.path())
        .each_of("SELECT fold FROM jobs WHERE job_id = ?1 AND loss = ?2", ids, {std::string("bce")},
                 [&](std::size_t place, const SqlRow& row) { answers.emplace_back(place, row.integer(0)); });
    CHECK(answers == std::vector<std::pair<std::size_t, std::int64_t>>{{0, 2}, {2, 0}, {3, 2}});
}

TEST_CASE("Questions only read: everything else is refused", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    ResultStore::open(path);
    const ReadStore reader = ReadStore::open(path);
    for (const char* sql :
         {"DELETE FROM jobs", "INSERT INTO counters VALUES ('x', 1)", "CREATE TABLE t (x)", "CREATE TEMP TABLE t (x)",
          "DROP VIEW runs", "PRAGMA user_version = 3", "PRAGMA journal_mode = DELETE", "PRAGMA query_only = OFF",
          "ATTACH 'other.sqlite' AS other", "VACUUM INTO 'copy.sqlite'", "BEGIN",
          "WITH x AS (SELECT 1) UPDATE jobs SET state = 'waiting'", "REINDEX", "ANALYZE"}) {
        INFO(sql);
        CHECK(holds(refusal([&] { reader.ask(sql); }), "only a single question"));
    }
    CHECK(holds(refusal([&] { reader.ask("SELECT load_extension('x')"); }), "not authorized"));
    CHECK(holds(refusal([&] { reader.ask("SELECT 1; SELECT 2"); }), "several statements"));
    CHECK(refusal([&] { reader.ask("SELECT mistaken FROM jobs"); }) ==
          "no such column: mistaken; in: SELECT mistaken FROM jobs");
    CHECK(holds(refusal([&] { reader.ask("  "); }), "no statement"));
    CHECK(reader.ask("SELECT 1 AS one;  ").rows[0][0] == SqlValue(std::int64_t{1}));
    CHECK(reader.ask("PRAGMA table_info(jobs)").rows.size() > 10);
    CHECK(reader.ask("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT * FROM n")
              .rows.size() == 3);
}

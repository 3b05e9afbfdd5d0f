// The power fails at every single write and sync of a small sweep's database: what was told as committed is there
// afterwards, whole, and nothing is half there.
#include <map>
#include <set>

#include <fmt/format.h>

#include "orchestrator/store/result_store.hpp"
#include "tests/orchestrator/store/power_cut_vfs.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

/// What the writer was told before the power failed.
struct Told {
    std::map<std::uint64_t, std::uint64_t> finished;  ///< attempt by job
    std::set<std::uint64_t> attempts;
};

StoreOptions options_of(bool is_on_network) {
    return {OpenMode::kCreate, is_on_network};
}

/// Results one by one and three to a commit, as the commit thread stores them; a failure between.
void sweep(const std::string& path, bool is_on_network, Told& told) {
    ResultStore store = ResultStore::open(path, options_of(is_on_network));
    store.requeue_running();
    const SweepId id = store.register_sweep("sweep", "name: sweep", "hash");
    std::vector<JobRow> rows;
    for (int fold = 0; fold < 7; ++fold) rows.push_back(job_row(fold, 500, "bce"));
    const auto jobs = store.upsert_jobs(id, rows);
    const AttemptIds ids = store.reserve_attempt_ids(10);
    std::uint64_t next = ids.first.value;
    const auto begin = [&](JobId job) {
        const AttemptId attempt{next++};
        told.attempts.insert(attempt.value);
        store.record_attempt_started({attempt, job, "n", {1}, "cpu", "cpu-0", "k/1", "log", 0});
        return attempt;
    };
    store.record_failed(begin(jobs[0]), FailureClass::kCrashed, "first try", false, {});
    for (int i = 0; i < 4; ++i) {
        const AttemptId attempt = begin(jobs[static_cast<std::size_t>(i)]);
        if (store.record_finished(attempt, result_with_f1(0.1 * i), {}))
            told.finished[jobs[static_cast<std::size_t>(i)].value] = attempt.value;
    }
    std::map<std::uint64_t, std::uint64_t> together;
    store.in_transaction([&] {
        for (std::size_t i = 4; i < 7; ++i) {
            const AttemptId attempt = begin(jobs[i]);
            store.record_finished(attempt, result_with_f1(0.5), {});
            together[jobs[i].value] = attempt.value;
        }
    });
    told.finished.merge(together);
}

std::string ask(sqlite3* database, const std::string& sql) {
    std::string answer;
    char* problem = nullptr;
    const auto on_row = [](void* out, int, char** values, char**) {
        *static_cast<std::string*>(out) += values[0] ? values[0] : "NULL";
        return 0;
    };
    if (sqlite3_exec(database, sql.c_str(), on_row, &answer, &problem) != SQLITE_OK) answer = problem;
    sqlite3_free(problem);
    return answer;
}

/// "" if everything that was told is there and nothing is half there.
std::string problem_after(const std::string& path, bool is_on_network, const Told& told) {
    AttemptId next;
    {
        ResultStore store = ResultStore::open(path, options_of(is_on_network));
        store.requeue_running();
        next = store.reserve_attempt_ids(1).first;
    }
    if (!told.attempts.empty() && next.value <= *told.attempts.rbegin())
        return fmt::format("attempt id {} is given twice", next.value);
    sqlite3* database = nullptr;
    sqlite3_open(path.c_str(), &database);
    std::string problem;
    const auto require = [&](const std::string& sql, const std::string& wanted) {
        const std::string answer = ask(database, sql);
        if (answer != wanted && problem.empty()) problem = fmt::format("{}: {}, not {}", sql, answer, wanted);
    };
    require("PRAGMA integrity_check", "ok");
    require("PRAGMA foreign_key_check", "");
    for (const auto& [job, attempt] : told.finished) {
        require(fmt::format("SELECT winning_attempt_id FROM jobs WHERE job_id = {} AND state = 'finished'", job),
                std::to_string(attempt));
        require(fmt::format("SELECT count(*) FROM metrics WHERE attempt_id = {}", attempt), "5");
    }
    require(
        "SELECT count(*) FROM jobs AS j WHERE (state = 'finished') <> "
        "((SELECT count(*) FROM attempts AS a WHERE a.job_id = j.job_id AND outcome = 'finished') = 1)",
        "0");
    require(
        "SELECT count(*) FROM attempts AS a WHERE (outcome = 'finished') <> "
        "((SELECT count(*) FROM metrics AS m WHERE m.attempt_id = a.attempt_id) = 5)",
        "0");
    sqlite3_close(database);
    return problem;
}

}  // namespace

TEST_CASE("The disk of these tests forgets what was not synced", "[store]") {
    PowerCutDisk disk;
    const auto rows_after_a_cut = [&](const std::string& path, const std::string& synchronous) {
        sqlite3* database = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
        CHECK(ask(database, "PRAGMA journal_mode = wal") == "wal");
        CHECK(ask(database, "PRAGMA synchronous = " + synchronous + "; CREATE TABLE t (x); PRAGMA wal_checkpoint") !=
              "");
        CHECK(ask(database, "INSERT INTO t VALUES (1)") == "");
        disk.fail_after(0);
        CHECK(ask(database, "INSERT INTO t VALUES (2)") != "");
        sqlite3_close(database);
        disk.power_cycle(PowerCutDisk::Loss::kAll, 1);
        REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
        const std::string rows = ask(database, "SELECT count(*) FROM t");
        sqlite3_close(database);
        return rows;
    };
    CHECK(rows_after_a_cut("/safe.sqlite", "FULL") == "1");
    CHECK(rows_after_a_cut("/unsafe.sqlite", "OFF") != "1");
}

TEST_CASE("What was committed survives a power cut at every write and every sync", "[store]") {
    const bool is_on_network = GENERATE(false, true);
    TemporaryFolder folder;
    const std::string path = folder.file("results.sqlite");
    std::int64_t changes = 0;
    {
        PowerCutDisk disk;
        Told told;
        sweep(path, is_on_network, told);
        CHECK(told.finished.size() == 7);
        CHECK(problem_after(path, is_on_network, told).empty());
        changes = disk.changes();
    }
    CHECK(changes > 100);
    std::size_t most_finished = 0;
#ifdef __SANITIZE_THREAD__
    constexpr std::int64_t kStep = 11;  // what a disk keeps is no matter of threads, and this takes minutes there
#else
    constexpr std::int64_t kStep = 1;
#endif
    for (std::int64_t cut = 0; cut < changes; cut += kStep) {
        for (std::uint64_t seed = 0; seed < 2; ++seed) {
            PowerCutDisk disk;
            disk.fail_after(cut);
            Told told;
            try {
                sweep(path, is_on_network, told);
            } catch (const Error&) {
                // The power failed: so the writer was told.
            }
            if (!disk.is_off()) continue;
            most_finished = std::max(most_finished, told.finished.size());
            disk.power_cycle(seed == 0 ? PowerCutDisk::Loss::kAll : PowerCutDisk::Loss::kRandom,
                             seed * 1'000'000 + static_cast<std::uint64_t>(cut));
            INFO("on a network: " << is_on_network << ", cut at change " << cut << ", seed " << seed);
            CHECK(problem_after(path, is_on_network, told) == "");
        }
    }
    CHECK(most_finished >= 4);
}

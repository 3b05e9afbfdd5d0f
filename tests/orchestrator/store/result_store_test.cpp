#include "orchestrator/store/result_store.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <set>

#include "orchestrator/store/read_store.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

std::int64_t count(const std::string& path, const std::string& sql) {
    return as_integer(ReadStore::open(path).ask("SELECT count(*) FROM " + sql).rows.at(0).at(0)).value();
}

struct StoreWithJob {
    TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    JobId job = store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{job_row(0, 75, "bce")}).at(0);
};

}  // namespace

TEST_CASE("A job finishes exactly once, whoever reports it again", "[store]") {
    StoreWithJob one;
    auto& [folder, store, job] = one;
    const AttemptId first = start(store, job);
    const AttemptId second = start(store, job);
    CHECK(store.record_finished(first, result_with_f1(0.4), {1, 0}));
    CHECK_FALSE(store.record_finished(first, result_with_f1(0.5), {1, 0}));
    CHECK_FALSE(store.record_finished(second, result_with_f1(0.6), {1, 0}));
    CHECK_FALSE(store.record_failed(second, FailureClass::kCrashed, "late", true, {1, 0}));
    const auto answer = ReadStore::open(store.path()).ask("SELECT state, macro_f1, attempts FROM runs").rows;
    REQUIRE(answer.size() == 1);
    CHECK(as_text(answer[0][0]) == "finished");
    CHECK(as_number(answer[0][1]) == 0.4);
    CHECK(as_integer(answer[0][2]) == 2);
    CHECK(count(store.path(), "metrics") == 5);
    CHECK(count(store.path(), "attempts WHERE outcome IS NULL") == 0);
}

TEST_CASE("The checkpoint that an open attempt saved last is known by its epoch and digest", "[store]") {
    StoreWithJob one;
    auto& [folder, store, job] = one;
    const AttemptId attempt = start(store, job);
    store.record_checkpoint({attempt, 1, "first"});
    store.record_checkpoint({attempt, 2, "second"});
    store.record_failed(attempt, FailureClass::kKilled, "signal 9", false, {1, 0});
    store.record_checkpoint({attempt, 3, "of a worker that was taken for lost"});
    const auto row =
        ReadStore::open(store.path()).ask("SELECT checkpoint_epoch, checkpoint_digest FROM attempts").rows.at(0);
    CHECK(as_integer(row[0]) == 2);
    CHECK(as_text(row[1]) == "second");
}

TEST_CASE("A result of an attempt that was declared lost is refused", "[store]") {
    StoreWithJob one;
    auto& [folder, store, job] = one;
    const AttemptId lost = start(store, job);
    CHECK(store.record_failed(lost, FailureClass::kNodeLost, "no heartbeat", false, {1, 0}));
    CHECK_FALSE(store.record_finished(lost, result_with_f1(0.1), {1, 0}));
    CHECK_FALSE(store.record_finished({999}, result_with_f1(0.1), {1, 0}));
    CHECK(store.load_states(std::vector{job}).at(0).state == JobState::kWaiting);
    CHECK(count(store.path(), "metrics") == 0);
}

TEST_CASE("Failures count against a job by their class, and the last one decides its state", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const std::vector<JobRow> rows = {job_row(0, 75, "bce"), job_row(1, 75, "bce")};
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    store.record_failed(start(store, jobs[0]), FailureClass::kCrashed, "signal 11", false, {1, 7});
    store.record_failed(start(store, jobs[0]), FailureClass::kNodeLost, "gone", false, {1, 0});
    store.record_failed(start(store, jobs[0]), FailureClass::kOomHost, "killed", true, {1, 0});
    store.record_failed(start(store, jobs[1]), FailureClass::kInvalid, "no records", true, {1, 0});
    auto states = store.load_states(jobs);
    CHECK(states.at(0).state == JobState::kFailed);
    CHECK(states.at(0).attempts_used == 2);
    CHECK(states.at(0).last_failure == FailureClass::kOomHost);
    CHECK(states.at(1).state == JobState::kInvalid);
    const auto failures = ReadStore::open(store.path()).ask("SELECT * FROM failures ORDER BY attempt");
    CHECK(failures.columns == std::vector<std::string>{"job_id", "attempt", "class", "message", "node", "log"});
    REQUIRE(failures.rows.size() == 4);
    CHECK(as_text(failures.rows[0][5]) == "worker-3.log:100+7");
    SECTION("a retry forgives earlier attempts and deletes nothing") {
        CHECK(store.set_state(jobs[0], JobState::kWaiting));
        states = store.load_states(jobs);
        CHECK(states.at(0).state == JobState::kWaiting);
        CHECK(states.at(0).attempts_used == 0);
        CHECK(count(store.path(), "failures") == 4);
    }
    SECTION("a job with an open attempt keeps its state") {
        const AttemptId open = start(store, jobs[1]);
        CHECK_FALSE(store.set_state(jobs[1], JobState::kCancelled));
        store.record_failed(open, FailureClass::kCancelled, "", true, {1, 0});
        CHECK(store.load_states(jobs).at(1).state == JobState::kCancelled);
    }
}

TEST_CASE("After a crash running jobs wait again and attempt ids go on where no one has been", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    const std::vector<JobRow> rows = {job_row(0, 75, "bce"), job_row(1, 75, "bce")};
    std::vector<JobId> jobs;
    {
        ResultStore store = ResultStore::open(path);
        jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
        finish(store, jobs[0], result_with_f1(0.4));
        start(store, jobs[1]);
        const AttemptIds block = store.reserve_attempt_ids(1000);
        CHECK(block.first.value == 3);
    }
    ResultStore store = ResultStore::open(path);
    CHECK(store.requeue_running() == 1);
    CHECK(store.requeue_running() == 0);
    CHECK(store.reserve_attempt_ids().first.value == 1003);
    const auto states = store.load_states(jobs);
    CHECK(states.at(0).state == JobState::kFinished);
    CHECK(states.at(1).state == JobState::kWaiting);
    CHECK(states.at(1).attempts_used == 0);
    CHECK(states.at(1).last_failure == FailureClass::kInterrupted);
}

TEST_CASE("A killed writer leaves what it committed, nothing of what it had not, and no lock", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ResultStore store = ResultStore::open(path);
        std::vector<JobRow> rows;
        for (int fold = 0; fold < 6; ++fold) rows.push_back(job_row(fold, 75, "bce"));
        const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
        const std::uint64_t first = store.reserve_attempt_ids(10).first.value;
        for (std::size_t i = 0; i < jobs.size(); ++i)
            store.record_attempt_started({{first + i}, jobs[i], "node1", {1}, "cpu", "cpu-0", "a", "", 0});
        store.in_transaction([&] {
            for (std::uint64_t i = 0; i < 3; ++i) store.record_finished({first + i}, result_with_f1(0.4), {1, 0});
        });
        store.in_transaction([&] {
            store.record_finished({first + 3}, result_with_f1(0.4), {1, 0});
            raise(SIGKILL);
        });
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    ResultStore store = ResultStore::open(path);
    CHECK(count(path, "runs WHERE state = 'finished' AND macro_f1 = 0.4") == 3);
    CHECK(count(path, "metrics") == 15);
    CHECK(store.requeue_running() == 3);
    CHECK(store.reserve_attempt_ids(1).first.value == 11);
}

TEST_CASE("A transaction that fails leaves nothing of itself, also where a part's error was swallowed", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const std::vector<JobRow> rows = {job_row(0, 75, "bce"), job_row(1, 75, "bce")};
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"), rows);
    const AttemptId one = start(store, jobs[0]);
    const AttemptId two = start(store, jobs[1]);
    JobResult broken = result_with_f1(0.5);
    broken.metrics.push_back(broken.metrics.front());  // the same figure twice: the primary key refuses it
    SECTION("the error comes through") {
        CHECK_THROWS_AS(store.in_transaction([&] {
            store.record_finished(one, result_with_f1(0.4), {1, 0});
            store.record_finished(two, broken, {1, 0});
        }),
                        StoreError);
    }
    SECTION("the error is swallowed") {
        CHECK_THROWS_AS(store.in_transaction([&] {
            store.record_finished(one, result_with_f1(0.4), {1, 0});
            try {
                store.record_finished(two, broken, {1, 0});
            } catch (const StoreError& error) {
                CHECK(error.code() == 19);  // SQLITE_CONSTRAINT
                CHECK(error.sql().find("INSERT INTO metrics") == 0);
            }
        }),
                        StoreError);
    }
    CHECK(count(store.path(), "metrics") == 0);
    CHECK(count(store.path(), "jobs WHERE state = 'finished'") == 0);
    store.in_transaction([&] {
        store.record_finished(one, result_with_f1(0.4), {1, 0});
        CHECK_THROWS_AS(store.reserve_attempt_ids(), std::logic_error);
    });
    CHECK(count(store.path(), "jobs WHERE state = 'finished'") == 1);
}

TEST_CASE("A full disk is a StoreError and leaves the database as it was", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    ResultStore store = ResultStore::open(path);
    const SweepId sweep = store.register_sweep("s", "y", "h");
    std::vector<JobRow> rows;
    for (int fold = 0; fold < 900; ++fold) rows.push_back(job_row(fold, 75, "bce"));
    // A limit on file size stands for the full disk: the kernel refuses the write, as it would there.
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{400000, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    int code = 0;
    try {
        store.upsert_jobs(sweep, rows);
    } catch (const StoreError& error) {
        code = error.code();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK((code == 10 || code == 13));  // SQLITE_IOERR or SQLITE_FULL
    CHECK(count(path, "jobs") == 0);
    CHECK(store.upsert_jobs(sweep, rows).size() == 900);
    CHECK(as_text(ReadStore::open(path).ask("SELECT count(*) || '' FROM jobs").rows[0][0]) == "900");
}

TEST_CASE("The same experiment is one job in two sweeps; a point under another key makes the old job stale",
          "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const std::vector<JobRow> old_rows = {job_row(0, 75, "bce"), job_row(1, 75, "bce")};
    const std::vector<JobRow> new_rows = {job_row(0, 75, "bce", "grown data")};
    const auto first = store.upsert_jobs(store.register_sweep("one", "y", "h"), old_rows);
    const auto second = store.upsert_jobs(store.register_sweep("two", "y", "h"), old_rows);
    CHECK(first == second);
    finish(store, first[0], result_with_f1(0.4));
    const auto third = store.upsert_jobs(store.register_sweep("one", "y2", "h2"), new_rows);
    CHECK(third[0] != first[0]);
    const ReadStore reader = ReadStore::open(store.path());
    const auto runs = reader.ask("SELECT sweep, job_id FROM runs ORDER BY sweep, job_id").rows;
    // In "one" the old job of fold 0 is stale, that of fold 1 was not listed again and stays.
    REQUIRE(runs.size() == 4);
    CHECK(as_integer(runs[0][1]) == static_cast<std::int64_t>(first[1].value));
    CHECK(as_integer(runs[1][1]) == static_cast<std::int64_t>(third[0].value));
    CHECK(as_text(runs[2][0]) == "two");
    const auto events = reader.ask("SELECT kind, detail FROM events").rows;
    REQUIRE(events.size() == 1);
    CHECK(nlohmann::json::parse(as_text(events[0][1])).at("yaml") == "y");
    SECTION("listed again it is no longer stale, the other is") {
        store.upsert_jobs(store.register_sweep("one", "y", "h"), old_rows);
        CHECK(as_integer(reader.ask("SELECT count(*) FROM runs WHERE sweep = 'one'").rows[0][0]) == 2);
    }
}

TEST_CASE("A sweep that is started again unchanged finds its jobs in order without registering them", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const std::vector<JobRow> rows = {job_row(1, 75, "bce"), job_row(0, 75, "bce"), job_row(2, 75, "bce")};
    const std::vector<JobRow> fewer = {rows[2], rows[1]};
    CHECK_FALSE(store.registered_jobs("s", "h", "plan"));
    store.upsert_jobs(store.register_sweep("other", "y", "h", "other plan"), std::vector{rows[2]});
    const auto jobs = store.upsert_jobs(store.register_sweep("s", "y", "h", "plan"), rows);
    CHECK(store.registered_jobs("s", "h", "plan") == jobs);
    CHECK_FALSE(store.registered_jobs("s", "h", "another plan"));
    CHECK_FALSE(store.registered_jobs("s", "another text", "plan"));
    CHECK_FALSE(store.registered_jobs("s", "h", "other plan"));
    // Jobs that the sweep's newest text does not list are not in it any more.
    const auto kept = store.upsert_jobs(store.register_sweep("s", "y2", "h2", "plan2"), fewer);
    CHECK(store.registered_jobs("s", "h2", "plan2") == kept);
    CHECK(kept == std::vector{jobs[2], jobs[1]});
}

TEST_CASE("Where a job runs may change under the same key: the stored spec follows until it has run", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    JobSpec spec;
    const std::vector<JobRow> before = {job_row(spec)};
    spec.resources.max_attempts = 7;
    const std::vector<JobRow> after = {job_row(spec)};
    const SweepId sweep = store.register_sweep("s", "y", "h");
    const JobId job = store.upsert_jobs(sweep, before).at(0);
    CHECK(store.upsert_jobs(sweep, after).at(0) == job);
    const auto stored = [&] {
        const auto answer = ReadStore::open(store.path()).ask("SELECT spec FROM jobs");
        return job_spec_from_json(nlohmann::json::parse(as_text(answer.rows.at(0).at(0)))).resources.max_attempts;
    };
    CHECK(stored() == 7);
    finish(store, job, result_with_f1(0.4));
    store.upsert_jobs(sweep, before);
    CHECK(stored() == 7);
}

TEST_CASE("A spec that is no JSON, or lacks a setting, is refused", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const SweepId sweep = store.register_sweep("s", "y", "h");
    JobRow row = job_row(0, 75, "bce");
    for (const char* spec : {"{\"fold\": ", "{}"}) {
        row.spec = spec;
        CHECK_THROWS_AS(store.upsert_jobs(sweep, std::vector{row}), StoreError);
    }
    CHECK(count(store.path(), "jobs") == 0);
}

TEST_CASE("All rows of a result come back, missing told from NaN", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const JobRow row = job_row(0, 75, "bce");
    const JobId job = store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{row}).at(0);
    JobResult result;
    result.metrics.push_back({"test", "", "macro_f1", std::nan(""), 1});
    result.metrics.push_back({"test", "", "accuracy", std::nullopt, 1});
    result.epochs.push_back({1, std::nan(""), std::nullopt, 0.7, 0.3, 1e-3, 2.0, 100.0, true});
    result.lead_importance.push_back({"10370003", "V1", 3, -0.5, 0.7, 0.1, 12, 0.8, 0.75, 2});
    result.lead_importance.push_back({"10370003", "V2", 3, 0, 0, 0, 0, std::nullopt, 0, 14});
    result.artifacts.push_back({"model", "model.safetensors", "digest", 123});
    result.notes = {"one lead was constant"};
    result.is_reused = true;
    const AttemptId attempt = finish(store, job, result);
    const ReadStore reader = ReadStore::open(store.path());
    CHECK(reader.ask("SELECT name, value, is_nan FROM metrics ORDER BY name").rows ==
          std::vector<std::vector<SqlValue>>{{"accuracy", std::monostate{}, std::int64_t{0}},
                                             {"macro_f1", std::monostate{}, std::int64_t{1}}});
    CHECK(
        reader
            .ask("SELECT train_loss, train_loss_is_nan, validation_loss, validation_loss_is_nan, macro_auroc, is_best "
                 "FROM epochs")
            .rows == std::vector<std::vector<SqlValue>>{
                         {std::monostate{}, std::int64_t{1}, std::monostate{}, std::int64_t{0}, 0.7, std::int64_t{1}}});
    CHECK(reader
              .ask("SELECT lead, segment, importance, magnitude, sd, n, r2, sign_agreement, n_dropped "
                   "FROM lead_importance ORDER BY lead")
              .rows == std::vector<std::vector<SqlValue>>{
                           {"V1", std::int64_t{3}, -0.5, 0.7, 0.1, std::int64_t{12}, 0.8, 0.75, std::int64_t{2}},
                           {"V2", std::int64_t{3}, std::monostate{}, std::monostate{}, std::monostate{},
                            std::int64_t{0}, std::monostate{}, std::monostate{}, std::int64_t{14}}});
    CHECK(reader.ask("SELECT is_reused, notes FROM attempts").rows ==
          std::vector<std::vector<SqlValue>>{{std::int64_t{1}, "[\"one lead was constant\"]"}});
    const auto model = store.find_trained_model(row.keys.train_key);
    REQUIRE(model);
    CHECK(model->path == "key/" + std::to_string(attempt.value) + "/model.safetensors");
    CHECK(model->digest == "digest");
    CHECK_FALSE(store.find_trained_model("another"));
}

TEST_CASE("Folds and events are kept", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const std::vector<FoldRow> folds = {
        {"digest", "data", "challenge2021", 0, 10, "stratified", 42, "next", false, 80, 10, 10, "folds/digest"}};
    store.record_folds(folds);
    store.record_folds(folds);
    store.record_event({"breaker", "the same failure 10 times", {}, {}, ""});
    CHECK(count(store.path(), "folds WHERE n_train = 80 AND is_leaky = 0") == 1);
    CHECK(count(store.path(), "events WHERE job_id IS NULL AND detail IS NULL") == 1);
}

TEST_CASE("A copy is a whole database, and only its owner may read either", "[store]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{job_row(0, 75, "bce")});
    const std::string copy = ResultStore::snapshot_path(store.path());
    store.write_copy(copy);
    store.write_copy(copy);
    CHECK(count(copy, "runs") == 1);
    for (const auto& path : {store.path(), copy, store.path() + "-wal"}) {
        struct stat found {};
        REQUIRE(stat(path.c_str(), &found) == 0);
        CHECK((found.st_mode & 0777U) == 0600U);
    }
}

TEST_CASE("On a network file system the database has no shared memory", "[store]") {
    const TemporaryFolder folder;
    const std::string path = folder.file("a.sqlite");
    {
        ResultStore store = ResultStore::open(path, {OpenMode::kCreate, true});
        CHECK(store.needs_snapshots());
        store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{job_row(0, 75, "bce")});
        CHECK_FALSE(std::filesystem::exists(path + "-wal"));
        CHECK_FALSE(std::filesystem::exists(path + "-shm"));
    }
    CHECK(count(path, "runs") == 1);
}

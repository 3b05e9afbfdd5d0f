// What is handed to the commit thread is stored in order and durable when its outcome comes out.
#include "orchestrator/store/commit_thread.hpp"

#include <chrono>
#include <thread>

#include "orchestrator/store/read_store.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/job/attempt_files.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

std::vector<CommitOutcome> wait_for_outcomes(CommitThread& thread, std::size_t count) {
    std::vector<CommitOutcome> outcomes;
    for (int i = 0; i < 1000 && outcomes.size() < count; ++i) {
        for (auto& outcome : thread.take_outcomes()) outcomes.push_back(std::move(outcome));
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return outcomes;
}

AttemptStart start_of(AttemptId attempt, JobId job) {
    return {attempt, job, "node1", {3}, "cpu", "cpu-0", "key/1", "worker-3.log", 0};
}

struct StoreWithJobs {
    TemporaryFolder folder;
    ResultStore store;
    std::vector<JobId> jobs;

    explicit StoreWithJobs(StoreOptions options = {}) : store(ResultStore::open(folder.file("a.sqlite"), options)) {
        jobs = store.upsert_jobs(store.register_sweep("s", "y", "h"),
                                 std::vector{job_row(0, 75, "bce"), job_row(1, 75, "bce"), job_row(2, 75, "bce")});
    }
    std::int64_t finished() const {
        const auto answer = ReadStore::open(store.path()).ask("SELECT count(*) FROM jobs WHERE state = 'finished'");
        return as_integer(answer.rows.at(0).at(0)).value();
    }
};

}  // namespace

TEST_CASE("An outcome comes out when its result is in the database", "[store]") {
    StoreWithJobs some;
    JobResult result = result_with_f1(0.4);
    result.artifacts.push_back({"model", "model.safetensors", "digest", 7});
    const std::string path = some.folder.file("result.cbor");
    const std::string digest = write_job_result(result, path);
    CommitThread thread(some.store);
    thread.submit(start_of({1}, some.jobs[0]));
    thread.submit(FinishedAttempt{{1}, 5, path, digest, {1.5, 10}});
    thread.submit(start_of({2}, some.jobs[1]));
    thread.submit(FinishedAttempt{{2}, 6, "", "", {1.5, 10}});
    const auto outcomes = wait_for_outcomes(thread, 2);
    REQUIRE(outcomes.size() == 2);
    CHECK(some.finished() == 2);
    CHECK(outcomes[0].attempt == AttemptId{1});
    CHECK(outcomes[0].job_index == 5);
    CHECK_FALSE(outcomes[0].problem);
    REQUIRE(outcomes[0].model);
    CHECK(outcomes[0].model->path == some.folder.file("model.safetensors"));
    CHECK(outcomes[1].job_index == 6);
    CHECK_FALSE(outcomes[1].model);
    CHECK(thread.pending() == 0);
}

TEST_CASE("Checkpoints are removed when the result is in the database, and stay where it is not", "[store]") {
    StoreWithJobs some;
    const auto finish = [&](std::uint64_t attempt, const std::string& digest) {
        const std::string folder = some.folder.file(std::to_string(attempt));
        for (const char* name : kCheckpointFiles) write_file_durably(folder + "/" + name, "weights");
        const std::string written = write_job_result(result_with_f1(0.4), folder + "/result.cbor");
        CommitThread thread(some.store);
        thread.submit(start_of({attempt}, some.jobs[attempt]));
        thread.submit(
            FinishedAttempt{{attempt}, 0, folder + "/result.cbor", digest.empty() ? written : digest, {1.5, 10}});
        wait_for_outcomes(thread, 1);
        return newest_folder_with_checkpoint(some.folder.path().string());
    };
    CHECK(finish(1, "").empty());
    CHECK(finish(2, sha256("another result")) == some.folder.file("2"));
}

TEST_CASE("A result file that is torn, missing or another one is not stored, and the others are", "[store]") {
    StoreWithJobs some;
    const std::string path = some.folder.file("result.cbor");
    const std::string digest = write_job_result(result_with_f1(0.4), path);
    CommitThread thread(some.store);
    for (std::uint64_t i = 0; i < 3; ++i) thread.submit(start_of({i + 1}, some.jobs[i]));
    thread.submit(FinishedAttempt{{1}, 0, path, std::string(64, '0'), {1, 0}});
    thread.submit(FinishedAttempt{{2}, 1, some.folder.file("nowhere.cbor"), digest, {1, 0}});
    thread.submit(FinishedAttempt{{3}, 2, path, digest, {1, 0}});
    const auto outcomes = wait_for_outcomes(thread, 3);
    REQUIRE(outcomes.size() == 3);
    REQUIRE(outcomes[0].problem);
    CHECK_THAT(*outcomes[0].problem, ContainsText("result.cbor"));
    REQUIRE(outcomes[1].problem);
    CHECK_THAT(*outcomes[1].problem, ContainsText("nowhere.cbor"));
    CHECK_FALSE(outcomes[2].problem);
    CHECK(some.finished() == 1);
}

TEST_CASE("What was handed over is stored before the thread ends", "[store]") {
    StoreWithJobs some;
    {
        CommitThread thread(some.store);
        thread.submit(start_of({1}, some.jobs[0]));
        thread.submit(FinishedAttempt{{1}, 0, "", "", {1, 0}});
    }
    CHECK(some.finished() == 1);
}

TEST_CASE("A change that the database refuses is told to whoever asks, and nothing after it is stored", "[store]") {
    StoreWithJobs some;
    CommitThread thread(some.store);
    thread.submit(start_of({1}, JobId{99999}));
    CHECK_THROWS_AS(
        [&] {
            for (int i = 0; i < 1000; ++i) {
                (void)thread.take_outcomes();
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
        }(),
        StoreError);
    thread.submit(start_of({2}, some.jobs[0]));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(as_integer(ReadStore::open(some.store.path()).ask("SELECT count(*) FROM attempts").rows[0][0]) == 0);
}

TEST_CASE("On a network file system readers find a snapshot of the first results", "[store]") {
    StoreOptions options;
    options.is_on_network = true;
    StoreWithJobs some(options);
    CommitThread thread(some.store);
    thread.submit(start_of({1}, some.jobs[0]));
    thread.submit(FinishedAttempt{{1}, 0, "", "", {1, 0}});
    REQUIRE(wait_for_outcomes(thread, 1).size() == 1);
    const std::string snapshot = ResultStore::snapshot_path(some.store.path());
    for (int i = 0; i < 1000 && !std::filesystem::exists(snapshot); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(std::filesystem::exists(snapshot));
    CHECK(as_integer(ReadStore::open(snapshot).ask("SELECT count(*) FROM jobs").rows[0][0]) == 3);
}

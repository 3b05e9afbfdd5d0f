#include "orchestrator/commands/doctor_checks.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "shared/arrays/sealed_arrays.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/job/attempt_files.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
namespace fs = std::filesystem;

namespace {

/// A database with one finished job, its model below the work folder, and one job that waits.
struct Patient {
    Patient() : store(ResultStore::open(places().db)) {
        const SweepId sweep = store.register_sweep("s", "name: s", "hash");
        std::vector<JobRow> rows{testing::job_row(0, 100, "bce"), testing::job_row(1, 100, "bce")};
        jobs = store.upsert_jobs(sweep, rows);
        JobResult result = testing::result_with_f1(0.5);
        result.artifacts.push_back({"model", "model.safetensors", sha256("weights"), 7});
        attempt = testing::finish(store, jobs[0], result);
        key = std::string(64, 'a');
        model = fmt::format("{}/key/{}/model.safetensors", places().work, attempt.value);
        write_file_durably(model, "weights");
    }
    Places places() const { return {folder.file("db"), folder.file("db.files"), folder.file("scratch"), "worker"}; }
    ReadStore reader() const { return ReadStore::open(places().db); }
    std::vector<Finding> artifacts(bool is_quick = false) const {
        return check_artifacts(reader(), places(), {is_quick, false});
    }

    testing::TemporaryFolder folder;
    ResultStore store;
    std::vector<JobId> jobs;
    AttemptId attempt;
    std::string key;
    std::string model;
};

}  // namespace

TEST_CASE("A healthy database has no findings") {
    const Patient patient;
    CHECK(check_file(inspect_file(patient.places().db), patient.places().db).empty());
    CHECK(check_rows(patient.reader(), {}).empty());
    CHECK(patient.artifacts().empty());
    CHECK(check_orphans(patient.reader(), patient.places(), {}).empty());
    CHECK(check_surroundings(patient.places(), {}).empty());
}

TEST_CASE("Artefacts that are lost, cut or changed are found, and their jobs can run again") {
    Patient patient;
    write_file_durably(patient.model, "WEIGHTS");
    CHECK(patient.artifacts(true).empty());
    CHECK_THAT(patient.artifacts().at(0).what, ContainsText("SHA-256"));
    write_file_durably(patient.model, "weig");
    CHECK_THAT(patient.artifacts(true).at(0).what, ContainsText("4 bytes instead of 7"));
    fs::remove(patient.model);
    const Finding lost = patient.artifacts().at(0);
    CHECK_THAT(lost.what, ContainsText("model of job 1 is not there"));
    CHECK(lost.remedy == Remedy::kWithdrawResult);

    CHECK(patient.store.withdraw_result(lost.job, lost.what));
    CHECK_FALSE(patient.store.withdraw_result(lost.job, lost.what));
    CHECK(patient.store.state_of(lost.job) == JobState::kWaiting);
    CHECK(patient.artifacts().empty());
    CHECK(check_rows(patient.reader(), {}).empty());
    const auto row = patient.reader().ask("SELECT outcome, message FROM attempts").rows.at(0);
    CHECK(as_text(row[0]) == "invalid");
    CHECK_THAT(as_text(row[1]), ContainsText("is not there"));
    CHECK(as_integer(patient.reader().ask("SELECT count(*) FROM metrics").rows[0][0]) > 0);
    CHECK(as_integer(patient.reader().ask("SELECT count(*) FROM events WHERE kind = 'result_withdrawn'").rows[0][0]) ==
          1);
    testing::finish(patient.store, lost.job, testing::result_with_f1(0.6));
    CHECK(check_rows(patient.reader(), {}).empty());
}

TEST_CASE("Attempts left open are findings only where no sweep runs") {
    Patient patient;
    testing::start(patient.store, patient.jobs[1]);
    CHECK(check_rows(patient.reader(), {.is_served = true}).empty());
    const auto findings = check_rows(patient.reader(), {});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].remedy == Remedy::kCloseAttempts);
    patient.store.requeue_running();
    CHECK(check_rows(patient.reader(), {}).empty());
}

TEST_CASE("Checkpoints that are damaged or lost are found; newer ones than recorded are not") {
    Patient patient;
    const AttemptId attempt = testing::start(patient.store, patient.jobs[1]);
    const std::string folder = fmt::format("{}/key/{}/", patient.places().work, attempt.value);
    const std::string path = folder + kCheckpointFile;
    const auto saved = [&](std::int64_t epoch) {
        ArrayFile file;
        file.metadata["epoch"] = std::to_string(epoch);
        seal(file);
        return save_arrays(file, path);
    };
    const auto findings = [&](Checkup checkup = {}) {
        return check_checkpoints(patient.reader(), patient.places(), checkup);
    };
    patient.store.record_checkpoint({attempt, 4, saved(4)});
    CHECK(findings().empty());
    saved(5);  // and its worker had no time to say so
    CHECK(findings().empty());

    write_file_durably(path, read_file(path) + "x");
    REQUIRE(findings().size() == 1);
    CHECK(findings({.is_quick = true}).empty());
    CHECK(findings({.is_served = true}).empty());
    CHECK_THAT(findings()[0].what, ContainsText("checkpoint of job 2 after epoch 4 is damaged"));
    CHECK_THAT(findings()[0].advice, ContainsText("trains anew"));
    CHECK(findings()[0].remedy == Remedy::kRemove);
    write_file_durably(folder + kPreviousCheckpointFile, "the one before");
    CHECK_THAT(findings()[0].advice, ContainsText("from the checkpoint before"));

    fs::remove(path);
    CHECK_THAT(findings().at(0).what, ContainsText("is not there"));
    patient.store.record_finished(attempt, testing::result_with_f1(0.5), {});
    CHECK(findings().empty());
    patient.store.withdraw_result(patient.jobs[1], "its model is lost");  // its checkpoint went when the result was stored
    CHECK(findings().empty());
}

TEST_CASE("Folders of no attempt, of useless attempts, and half-written files are orphans; checkpoints are not") {
    Patient patient;
    const Places places = patient.places();
    const auto folder_of = [&](const std::string& attempt) { return places.work + "/" + patient.key + "/" + attempt; };
    const auto start_in = [&](JobId job, std::uint64_t attempt) {
        patient.store.record_attempt_started(
            {{attempt}, job, "n", {1}, "cpu", "cpu-0", patient.key + "/" + std::to_string(attempt), "", 0});
        write_file_durably(folder_of(std::to_string(attempt)) + "/checkpoint.safetensors", "x");
    };
    start_in(patient.jobs[1], 900);  // its job waits: it goes on from here
    patient.store.record_failed({900}, FailureClass::kCrashed, "signal 11", false, {});
    CHECK(check_orphans(patient.reader(), places, {}).empty());
    testing::finish(patient.store, patient.jobs[1], testing::result_with_f1(0.5));
    write_file_durably(folder_of("901") + "/checkpoint.safetensors", "x");
    write_file_durably(places.work + "/catalogues/x.jsonl.tmp.77", "half");
    write_file_durably(places.work + "/notes/100", "a person's");

    const auto findings = check_orphans(patient.reader(), places, {});
    REQUIRE(findings.size() == 3);
    for (const Finding& finding : findings) CHECK(finding.remedy == Remedy::kRemove);
    CHECK(check_orphans(patient.reader(), places, {.is_served = true}).empty());

    // In a work folder that others may share, what is not known is left to people.
    Places shared = places;
    shared.work = patient.folder.file("shared");
    fs::rename(places.work, shared.work);
    int removable = 0;
    for (const Finding& finding : check_orphans(patient.reader(), shared, {}))
        removable += finding.remedy == Remedy::kRemove;
    CHECK(removable == 2);
}

TEST_CASE("Requests that nobody answers and copies that were never finished are leftovers") {
    const Patient patient;
    const std::string db = patient.places().db;
    write_file_durably(db + ".control/1.request", "{}");
    write_file_durably(db + ".snapshot.partial", "half");
    CHECK(check_surroundings(patient.places(), {}).size() == 2);
    CHECK(check_surroundings(patient.places(), {.is_served = true}).empty());
}

TEST_CASE("A damaged file is found damaged") {
    std::string db;
    const testing::TemporaryFolder folder;
    {
        Patient patient;
        for (int i = 0; i < 2000; ++i) patient.store.record_event({"filler", std::string(200, 'x'), {}, {}, ""});
        db = folder.file("copy");
        patient.store.write_copy(db);
    }
    CHECK(quick_check(db).empty());
    std::fstream file(db, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(db) / 2));
    for (int i = 0; i < 8192; ++i) file.put('\x5a');
    file.close();
    CHECK_FALSE(quick_check(db).empty());
    CHECK_FALSE(check_file(inspect_file(db), db).empty());
}

// Bad input is refused with exit code 2, with the file and the place where it is wrong, and without touching a
// database.
#include <filesystem>
#include <fstream>

#include "shared/core/files.hpp"
#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;

namespace {

const std::string kRecords = "data: {synthetic: {patients: 12, records_per_patient: 2}}\nfolds: {k: 3}\n";

/// A folder whose database holds a finished sweep.
void finish_a_sweep(const SweepFolder& folder) {
    folder.write(fake_sweep(1));
    const Outcome outcome = folder.run();
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    REQUIRE(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 3);
}

/// Everything that SQLite would read: the file and what lies in its log.
std::string bytes_of_database(const SweepFolder& folder) {
    std::string bytes = read_file(folder.db());
    if (std::filesystem::exists(folder.db() + "-wal")) bytes += read_file(folder.db() + "-wal");
    return bytes;
}

/// Asks for a run of a sweep file that is wrong, over a database that is right.
void require_refusal(const std::string& text, const std::vector<std::string>& parts) {
    const SweepFolder folder;
    finish_a_sweep(folder);
    const std::string before = bytes_of_database(folder);
    folder.write(text);
    const Outcome outcome = folder.run();
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, parts));
    CHECK(bytes_of_database(folder) == before);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 3);
    CHECK(all_processes_end(5));
}

/// Raises the version that stands in the file's header (SQLite's file format, section 1.3: big-endian at byte 60).
void raise_version(const std::string& path) {
    std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(60);
    stream.write("\0\0\0\x63", 4);
    REQUIRE(stream.good());
}

}  // namespace

TEST_CASE("An empty sweep file is refused with what is expected in it") {
    require_refusal("", {"sweep.yaml", "name", "axes"});
}

TEST_CASE("An unknown key is refused with its place and the nearest known one") {
    require_refusal("name: fake\n" + kRecords + "base: {lss: bce}\n", {"sweep.yaml:4:8", "lss", "'loss'"});
}

TEST_CASE("A duplicate key is refused with both places") {
    require_refusal("name: fake\nname: twice\n" + kRecords, {"sweep.yaml:2:1", "name", "sweep.yaml:1:1"});
}

TEST_CASE("A wrong type is refused with what was found and expected") {
    require_refusal("name: fake\n" + kRecords + "base:\n  train: {epochs: ten}\n",
                    {"sweep.yaml:5:19", "train.epochs", "integer", "ten"});
}

TEST_CASE("A duplicate value of an axis is refused") {
    require_refusal("name: fake\n" + kRecords + "axes: {seed: [1, 2, 1]}\n",
                    {"sweep.yaml:4:21", "seed", "duplicate value 1"});
}

TEST_CASE("An axis over a key that does not exist is refused") {
    require_refusal("name: fake\n" + kRecords + "axes: {model.dpth: [1, 2]}\n",
                    {"sweep.yaml:4:8", "model.dpth", "'model.depth'"});
}

TEST_CASE("A zip of unequal lengths is refused with both lengths") {
    require_refusal("name: fake\n" + kRecords + "zip: [{seed: [1, 2], train.batch: [8]}]\n",
                    {"sweep.yaml:4:7", "seed has 2", "train.batch has 1"});
}

TEST_CASE("More folds than groups are refused with both numbers") {
    require_refusal("name: fake\ndata: {synthetic: {patients: 2}}\nfolds: {k: 5}\naxes: {fold: all}\n",
                    {"sweep.yaml:3:12", "folds.k is 5", "2 groups"});
}

TEST_CASE("A folder of records that does not exist is refused by its name") {
    require_refusal("name: fake\ndata: {records: nowhere}\n", {"sweep.yaml:2:17", "data.records", "nowhere"});
}

TEST_CASE("A lead that is none is refused with the known ones") {
    require_refusal("name: fake\ndata: {synthetic: {patients: 12}, leads: [I, X9]}\nfolds: {k: 3}\n",
                    {"sweep.yaml:2:42", "X9", "aVR"});
}

TEST_CASE("All problems of a sweep file are told at once") {
    require_refusal("name: fake\n" + kRecords + "base: {lss: bce, train: {epochs: ten}}\naxes: {model.dpth: [1]}\n",
                    {"sweep.yaml:4:8", "sweep.yaml:4:34", "sweep.yaml:5:8"});
}

TEST_CASE("A wrong --set is refused by its text") {
    const SweepFolder folder;
    folder.write(fake_sweep(1));
    const Outcome outcome = folder.run({"--set", "train.epochs=ten"});
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"--set", "train.epochs", "ten"}));
    CHECK_FALSE(std::filesystem::exists(folder.db()));
}

TEST_CASE("A sweep file that is not there is refused by its name") {
    const SweepFolder folder;
    const Outcome outcome = folder.run();
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {folder.path("sweep.yaml")}));
}

TEST_CASE("A database of a newer version is refused and left as it is") {
    const SweepFolder folder;
    finish_a_sweep(folder);
    raise_version(folder.db());
    const std::string before = bytes_of_database(folder);
    for (const std::string command : {"run", "table", "map"}) {
        const Outcome outcome = command == "run" ? folder.run() : folder.leadsweep({command});
        INFO(command);
        CHECK(outcome.code == 2);
        CHECK(says(outcome.err, {folder.db(), "99"}));
        CHECK(bytes_of_database(folder) == before);
    }
}

TEST_CASE("A file that is no database is refused and left as it is") {
    const SweepFolder folder;
    folder.write(fake_sweep(1));
    const std::string text(5000, 'x');
    folder.write(text, "results.sqlite");
    const Outcome outcome = folder.run();
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {folder.db(), "no SQLite database"}));
    CHECK(folder.read("results.sqlite") == text);
}

TEST_CASE("A results folder that cannot be made is refused by its name") {
    const SweepFolder folder;
    folder.write(fake_sweep(1));
    folder.write("a regular file", "file");
    const Outcome outcome = run_program(
        {leadsweep_program(), "run", folder.path("sweep.yaml"), "--quiet", "--worker", fake_worker_program(),
         "--scratch", folder.path("scratch"), "--db", folder.path("file/results.sqlite")},
        folder.environment, folder.path("run"));
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {folder.path("file")}));
    CHECK(folder.read("file") == "a regular file");
}

TEST_CASE("A worker program that is not there is refused by its name") {
    const SweepFolder folder("/nowhere/leadsweep-worker");
    folder.write(fake_sweep(1));
    const Outcome outcome = folder.run();
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"/nowhere/leadsweep-worker"}));
    CHECK(all_processes_end(5));
}

TEST_CASE("A question that writes is refused and nothing is written") {
    const SweepFolder folder;
    finish_a_sweep(folder);
    const std::string before = bytes_of_database(folder);
    for (const std::string sql :
         {"DELETE FROM jobs", "UPDATE jobs SET loss = 'x'", "DROP VIEW runs", "PRAGMA user_version = 7", "VACUUM",
          "SELECT 1; DELETE FROM jobs", "ATTACH DATABASE '/tmp/leadsweep-attached' AS other",
          "WITH doomed AS (SELECT 1) DELETE FROM jobs"}) {
        const Outcome outcome = folder.leadsweep({"query", sql});
        INFO(sql);
        CHECK(outcome.code == 2);
        CHECK(outcome.out.empty());
        CHECK(!outcome.err.empty());
        CHECK(bytes_of_database(folder) == before);
    }
    CHECK_FALSE(std::filesystem::exists("/tmp/leadsweep-attached"));
}

TEST_CASE("A question that is wrong SQL is refused with what SQLite says") {
    const SweepFolder folder;
    finish_a_sweep(folder);
    const Outcome outcome = folder.leadsweep({"query", "SELECT no_such_column FROM runs"});
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"no_such_column"}));
}

TEST_CASE("Tables of a database that is not there are refused by its name, and none is made") {
    const SweepFolder folder;
    for (const std::string command : {"table", "map"}) {
        const Outcome outcome = folder.leadsweep({command});
        CHECK(outcome.code == 2);
        CHECK(says(outcome.err, {folder.db()}));
    }
    CHECK_FALSE(std::filesystem::exists(folder.db()));
}

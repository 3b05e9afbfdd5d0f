// Records that are wrong are left out, counted and shown; records that can be used after a repair are used.
#include <functional>

#include <fmt/format.h>

#include "tests/e2e/sweep_folder.hpp"
#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"

using namespace leadsweep;
using namespace leadsweep::e2e;
using leadsweep::testing::RecordToWrite;

namespace {

const std::string kNoWorker = "this build has no leadsweep-worker (LEADSWEEP_WORKER=OFF)";
constexpr std::int64_t kSamples = 400;  // 4 s at 100 Hz
constexpr double kPatience_s = 150;

/// A record of a patient of its own: its values and its diagnosis follow from its number.
RecordToWrite numbered_record(int number, std::int64_t leads = 12) {
    RecordToWrite record = leadsweep::testing::make_record(leads, kSamples);
    record.name = fmt::format("R{:04}", number);
    record.sampling_hz = 100;
    record.comments = number % 2 == 0 ? "# Dx: 426783006\n" : "# Dx: 164889003\n";
    for (std::size_t i = 0; i < record.digital.size(); ++i)
        record.digital[i] = static_cast<std::int16_t>(record.digital[i] + 3 * number + static_cast<int>(i % 7));
    return record;
}

void write_records(const SweepFolder& folder, int count, std::int64_t leads = 12) {
    for (int i = 0; i < count; ++i) leadsweep::testing::write_record(numbered_record(i, leads), folder.path("ecg"));
}

void write_changed(const SweepFolder& folder, int number, const std::function<void(RecordToWrite&)>& change) {
    RecordToWrite record = numbered_record(number);
    change(record);
    leadsweep::testing::write_record(record, folder.path("ecg"));
}

void write_sweep(const SweepFolder& folder, const std::string& data = "") {
    folder.write(
        fmt::format("name: records\n"
                    "data: {{records: ecg, window_s: 4{}}}\n"
                    "folds: {{k: 3}}\n"
                    "base:\n"
                    "  sampling_hz: 50\n"
                    "  model:   {{depth: 1, filters: 4, bottleneck: 4, kernels: [9, 5]}}\n"
                    "  train:   {{epochs: 1, batch: 8}}\n"
                    "  explain: {{method: none}}\n"
                    "axes: {{fold: all}}\n",
                    data));
}

Outcome look_at_data(const SweepFolder& folder) {
    return folder.leadsweep({"data", folder.path("ecg")}, kPatience_s);
}

long tested_records(const SweepFolder& folder) {
    return folder.count("SELECT sum(n_test) FROM runs WHERE state = 'finished'");
}

}  // namespace

TEST_CASE("Records that are broken are left out, counted and shown, and the rest is used") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    write_records(folder, 24);
    write_changed(folder, 100, [](RecordToWrite&) {});
    const std::string whole = folder.read("ecg/R0100.mat");
    folder.write(whole.substr(0, whole.size() / 2), "ecg/R0100.mat");
    write_changed(folder, 101, [](RecordToWrite& record) { record.announced_samples = 2 * kSamples; });
    write_changed(folder, 102, [](RecordToWrite& record) { record.checksum_error = 1; });
    write_changed(folder, 103, [](RecordToWrite& record) { record.initial_value_error = 1; });

    const Outcome data = look_at_data(folder);
    INFO(data.err);
    CHECK(data.code == 1);
    CHECK(says(data.out, {"24 of 28 records read", "cannot be read: R0100", "cannot be read: R0101",
                          "cannot be read: R0102", "cannot be read: R0103", "checksum"}));

    write_sweep(folder);
    const Outcome outcome = folder.run({}, kPatience_s);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(tested_records(folder) == 24);
    CHECK(all_processes_end(5));
}

TEST_CASE("Records that can be repaired are repaired, counted and used") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    write_records(folder, 24);
    write_changed(folder, 100, [](RecordToWrite& record) {
        for (std::size_t i = 50; i < 60; ++i) record.digital[i] = -32768;
    });
    write_changed(folder, 101, [](RecordToWrite& record) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(kSamples); ++i) record.digital[i] = 5;
    });
    write_changed(folder, 102, [](RecordToWrite& record) {
        RecordToWrite shorter = leadsweep::testing::make_record(12, kSamples / 2);
        record.samples = shorter.samples;
        record.digital = shorter.digital;
    });
    write_changed(folder, 103, [](RecordToWrite& record) { record.comments = "# Dx: Unknown\n"; });

    const Outcome data = look_at_data(folder);
    INFO(data.err);
    CHECK(data.code == 0);
    CHECK(says(data.out, {"28 of 28 records read", "2.0 - 4.0", "1 records have no diagnosis", "1 have missing samples",
                          "1 have constant leads"}));

    write_sweep(folder);
    const Outcome outcome = folder.run({}, kPatience_s);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(tested_records(folder) == 27);  // the one without a diagnosis is no negative
    CHECK(all_processes_end(5));
}

TEST_CASE("A class without positives in a fold has no figures there, and the others have") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    write_records(folder, 24);
    write_changed(folder, 100, [](RecordToWrite& record) { record.comments = "# Dx: 164890007\n"; });
    write_sweep(folder);
    const Outcome outcome = folder.run({}, kPatience_s);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(says(outcome.err, {"some folds have no", "AFL"}));
    const std::string flutter =
        "SELECT count(*) FROM scores WHERE split = 'test' AND metric = 'auroc' AND class_abbr = 'AFL'";
    CHECK(folder.count(flutter + " AND n_positive = 1 AND value IS NOT NULL") == 1);
    CHECK(folder.count(flutter + " AND n_positive <> 1 AND value IS NOT NULL") == 0);
    CHECK(
        folder.count("SELECT count(*) FROM scores WHERE split = 'test' AND metric = 'auroc' AND class_abbr = 'AF' AND "
                     "value IS NOT NULL") == 3);
    CHECK(folder.count("SELECT count(*) FROM runs WHERE macro_auroc IS NOT NULL") == 3);
}

TEST_CASE("A lead that no record has is refused by its name") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    write_records(folder, 12, 11);  // V6 is missing
    write_sweep(folder);
    const Outcome outcome = folder.run({}, kPatience_s);
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"sweep.yaml", "V6"}));
    CHECK(all_processes_end(5));

    write_sweep(folder, ", leads: [I, II, V1]");
    const Outcome others = folder.run({}, kPatience_s);
    INFO(others.err);
    CHECK(others.code == 0);
    CHECK(tested_records(folder) == 12);
}

TEST_CASE("A folder of records that are all broken is refused with what is wrong") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    for (int i = 0; i < 3; ++i) write_changed(folder, i, [](RecordToWrite& record) { record.checksum_error = 1; });
    CHECK(look_at_data(folder).code == 1);
    write_sweep(folder);
    const Outcome outcome = folder.run({}, kPatience_s);
    CHECK(outcome.code == 2);
    CHECK(says(outcome.err, {"sweep.yaml", "record"}));
    CHECK(all_processes_end(5));
}

TEST_CASE("A sweep runs with everything that records can need") {
    if (real_worker_program().empty()) LEADSWEEP_SKIP(kNoWorker);
    const SweepFolder folder(real_worker_program());
    std::string table = "path,part\n";
    for (int i = 0; i < 24; ++i) {
        RecordToWrite record = leadsweep::testing::make_record(3, i % 3 == 0 ? kSamples : 2 * kSamples + 50);
        record.name = fmt::format("R{:04}", i);
        record.sampling_hz = 100;
        record.leads = {"V1", "II", "I"};
        record.comments = i % 2 == 0 ? "# Dx: 426783006\n" : "# Dx: 164889003\n";
        for (std::size_t t = 0; t < record.digital.size(); ++t)
            record.digital[t] = static_cast<std::int16_t>(record.digital[t] + i);
        if (i % 5 == 0) std::fill_n(record.digital.begin() + 20, 15, std::int16_t{-32768});
        leadsweep::testing::write_record(record, folder.path("ecg"));
        if (i < 21) table += fmt::format("R{:04},{}\n", i, i % 3 + 1);
    }
    folder.write(table, "ecg/parts.csv");
    folder.write(
        "code,abbreviation,name,merge\n426783006,NSR,sinus,\n164889003|164890007,AF,fibrillation or flutter,\n",
        "ecg/classes.csv");
    folder.write(
        "name: all\n"
        "data:\n"
        "  records: ecg\n"
        "  window_s: 4\n"
        "  windows: strided\n"
        "  stride_s: 2\n"
        "  leads: [I, aVF, V1]\n"
        "  derive_leads: limb\n"
        "  missing: mask\n"
        "  band_pass_hz: [0.5, 20]\n"
        "  normalize: zscore\n"
        "  pack_type: int16\n"
        "  labels: file\n"
        "  label_file: classes.csv\n"
        "  table: {file: parts.csv, fold: part}\n"
        "folds: {k: 3, assign: column}\n"
        "base:\n"
        "  sampling_hz: 50\n"
        "  model:   {depth: 1, filters: 4, bottleneck: 4, kernels: [9, 5]}\n"
        "  train:   {epochs: 1, batch: 8}\n"
        "  explain: {method: occlusion, segments: 4, records_per_class: 1}\n"
        "axes: {fold: all}\n");
    const Outcome plan = folder.leadsweep({"plan", folder.path("sweep.yaml"), "--manifest", folder.path("m.csv")});
    INFO(plan.err);
    CHECK(plan.code == 0);
    CHECK(says(plan.out, {"3 records have no fold in the column", "column"}));
    CHECK(says(folder.read("m.csv"), {"R0001", "no fold in the table"}));
    const Outcome outcome = folder.run({}, kPatience_s);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(tested_records(folder) == 21);
    CHECK(folder.count("SELECT count(*) FROM scores WHERE class_abbr = 'AF' AND metric = 'auroc' AND split = 'test'") ==
          3);

    const Outcome drawn =
        folder.leadsweep({"data", folder.path("ecg"), "--plot", "R0005", "--out", folder.path("r.svg")});
    INFO(drawn.err);
    CHECK(drawn.code == 0);
    CHECK(says(folder.read("r.svg"), {"<svg", ">V1</text>", "8.5 s, AF;", "25 mm/s"}));
    const Outcome unknown = folder.leadsweep({"data", folder.path("ecg"), "--plot", "R005"});
    CHECK(unknown.code == 2);
    CHECK(says(unknown.err, {"no record 'R005'", "did you mean 'R0005'?"}));
    CHECK(all_processes_end(5));
}

#include "worker/dataset/survey.hpp"

#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

TEST_CASE("The survey tells what the catalogue keeps, sorted by path", "[survey]") {
    const ScratchFolder folder;
    auto made = make_record(3, 50);
    made.name = "b";
    made.gain = "0/NU";
    made.digital[4] = -32768;
    std::fill_n(made.digital.begin() + 50, 50, std::int16_t{5});
    made.comments = "# Dx: 426783006,1,426783006\n# Patient: p7\n";
    write_record(made, folder.path() / "georgia/deep");
    auto other = make_record(2, 20);
    other.name = "a";
    other.extension = ".dat";
    write_record(other, folder.path());
    const auto records = survey({folder.path().string(), {"georgia/deep/b.hea", "a.hea"}, {}}, nullptr);
    REQUIRE(records.size() == 2);
    CHECK(records[0].path == "a");
    CHECK(records[0].source.empty());
    CHECK(records[0].repairs.empty());
    const auto& record = records[1];
    CHECK(record.path == "georgia/deep/b");
    CHECK(record.source == "georgia");
    CHECK(record.problem.empty());
    CHECK(record.leads == std::vector<std::string>{"I", "II", "III"});
    CHECK(record.labels == std::vector<std::string>{"426783006", "1"});
    CHECK(record.patient == "p7");
    CHECK(record.samples == 50);
    CHECK(record.missing_samples == 1);
    CHECK(record.constant_leads == 1);
    CHECK(record.repairs == std::vector<std::string>{"1 missing samples", "constant leads: II", "unit NU: read as mV",
                                                     "no gain: 200 per mV assumed"});
    REQUIRE(record.files.size() == 2);
    CHECK(record.files[1].path == "georgia/deep/b.mat");
    CHECK(record.files[1].size_bytes == 24 + 3 * 50 * 2);
    CHECK(record.files[1].modified_ns > 1'500'000'000'000'000'000LL);
    const std::vector<std::int32_t> digital(made.digital.begin(), made.digital.end());
    CHECK(record.signal_digest == sha256(std::as_bytes(std::span<const std::int32_t>(digital))));
}

TEST_CASE("The signal digest does not depend on the file format", "[survey]") {
    const ScratchFolder folder;
    auto made = make_record(2, 30);
    write_record(made, folder.path());
    made.name = "B";
    made.extension = ".dat";
    write_record(made, folder.path());
    const auto records = survey({folder.path().string(), {"A0001.hea", "B.hea"}, {}}, nullptr);
    CHECK(records[0].signal_digest == records[1].signal_digest);
}

TEST_CASE("Unreadable records are reported and never stop the survey", "[survey]") {
    const ScratchFolder folder;
    auto made = make_record(2, 30);
    made.name = "damaged";
    made.checksum_error = 1;
    write_record(made, folder.path());
    write_record(make_record(2, 30), folder.path());
    write_text(folder.path() / "text.hea", "this is no header\n");
    write_text(folder.path() / "alone.hea", "alone 1 500 10\nalone.dat 16\n");
    std::int64_t calls = 0;
    const auto records =
        survey({folder.path().string(), {"damaged.hea", "A0001.hea", "text.hea", "alone.hea", "gone.hea"}, {}},
               [&](std::int64_t, std::int64_t total) {
                   ++calls;
                   CHECK(total == 5);
               });
    CHECK(calls == 5);
    REQUIRE(records.size() == 5);
    CHECK(records[0].is_usable());
    CHECK(has_all(records[1].problem, {"alone.dat", "No such file"}));
    REQUIRE(records[1].files.size() == 2);
    CHECK(records[1].files[1].size_bytes == -1);
    CHECK(has_all(records[2].problem, {"damaged.mat", "checksum"}));
    CHECK(records[2].sampling_hz == 500);
    CHECK(has_all(records[3].problem, {"gone.hea", "No such file"}));
    CHECK(has_all(records[4].problem, {"text.hea:1"}));
}

TEST_CASE("The problem of a header that is no UTF-8 can be written down", "[survey]") {
    const ScratchFolder folder;
    write_text(folder.path() / "gain.hea", "gain 1 500 10\ngain.dat 16 \xFF/mV\n");
    write_text(folder.path() / "file.hea", "file 1 500 10\n\xFC.dat 16 200/mV\n");
    const auto records = survey({folder.path().string(), {"file.hea", "gain.hea"}, {}}, nullptr);
    REQUIRE(records.size() == 2);
    CHECK(has_all(records[0].problem, {"file.hea:2", "\xC3\xBC.dat", "UTF-8"}));
    CHECK(has_all(records[1].problem, {"gain.hea:2", "gain", "\xC3\xBF/mV"}));
    for (const auto& record : records) CHECK_NOTHROW(to_json(record).dump());
}

TEST_CASE("Generated records are surveyed without files", "[survey]") {
    SurveyRequest request;
    request.synthetic.patients = 3;
    request.synthetic.duration_s = 2;
    request.synthetic.signs = {"V2"};
    const auto records = survey(request, nullptr);
    REQUIRE(records.size() == 6);
    CHECK(records[5].path == "synthetic/p0000002_001");
    CHECK(records[5].patient == "p0000002");
    CHECK(records[5].source == "synthetic");
    CHECK(records[5].samples == 1000);
    CHECK(records[5].files.empty());
    CHECK(records[5].leads.size() == 12);
    CHECK(records[4].signal_digest != records[5].signal_digest);
    CHECK(records[5].signal_digest.size() == 64);
}

TEST_CASE("A request survives the way through JSON, and what is none is refused", "[survey]") {
    SurveyRequest request{"/records", {"a.hea", "b/c.hea"}, {}};
    request.synthetic.patients = 12;
    request.synthetic.signs = {"I", "V6"};
    CHECK(to_json(survey_request_from_json(to_json(request))) == to_json(request));
    CHECK(survey_request_from_json(nlohmann::json::parse(R"({"records_folder": "x", "headers": []})"))
              .synthetic.patients == 0);
    CHECK(has_all(
        input_error_of([] { survey_request_from_json(nlohmann::json::parse(R"({"synthetic": {"patient": 3}})")); }),
        {"data.synthetic.patient"}));
    CHECK(has_all(input_error_of([] { survey_request_from_json(nlohmann::json::parse(R"({"headers": 3})")); }),
                  {"survey request"}));
}

TEST_CASE("The survey command writes a catalogue", "[survey]") {
    const ScratchFolder folder;
    write_record(make_record(12, 40), folder.path() / "records");
    const SurveyRequest request{(folder.path() / "records").string(), {"A0001.hea", "gone.hea"}, {}};
    const std::string request_path = (folder.path() / "request.json").string();
    const std::string catalogue_path = (folder.path() / "catalogue.jsonl").string();
    write_text(request_path, to_json(request).dump());
    CHECK(run_survey(request_path, catalogue_path) == 0);
    const auto catalogue = load_catalogue(catalogue_path);
    REQUIRE(catalogue.records.size() == 2);
    CHECK(to_json(catalogue.records[0]) == to_json(survey(request, nullptr)[0]));
    write_text(request_path, "no json");
    CHECK(has_all(input_error_of([&] { run_survey(request_path, catalogue_path); }),
                  {"request.json", "no survey request"}));
}

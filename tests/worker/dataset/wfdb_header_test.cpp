#include "worker/dataset/wfdb_header.hpp"

#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

WfdbSignal signal_of(const std::string& line) {
    return parse_wfdb_header("r 1 500 10\n" + line + "\n", "r.hea").signals.at(0);
}

std::string problem_of(const std::string& text) {
    return input_error_of([&] { parse_wfdb_header(text, "r.hea"); });
}

}  // namespace

TEST_CASE("The header of the challenge's first dialect is read, date first", "[wfdb]") {
    const auto header = parse_wfdb_header(
        "A0001 2 500 7500 05-Feb-2020 11:39:16\r\n"
        "A0001.mat 16+24 1000/mV 16 0 28 -1716 0 I\r\n"
        "A0001.mat 16+24 1000/mV 16 0 7 2029 0 aVR\r\n"
        "#Age: 74\r\n#Sex: Male\r\n#Dx: 59118001\r\n#Rx: Unknown\r\n",
        "A0001.hea");
    CHECK(header.record == "A0001");
    CHECK(header.sampling_hz == 500);
    CHECK(header.samples == 7500);
    REQUIRE(header.signals.size() == 2);
    CHECK(header.signals[1].lead == "aVR");
    CHECK(header.signals[0].byte_offset == 24);
    CHECK(header.signals[0].format == 16);
    CHECK(header.signals[0].gain == 1000);
    CHECK(header.signals[0].initial_value == 28);
    CHECK(header.signals[0].checksum == -1716);
    CHECK(header.labels == std::vector<std::string>{"59118001"});
    CHECK(header.patient.empty());
}

TEST_CASE("The header of the challenge's second dialect is read", "[wfdb]") {
    const auto header = parse_wfdb_header(
        "E07500.mat 1 500 5000 \n"
        "E07500.mat 16x1+24 1000.0(0)/mv 16 0 -115 13047 0 AVR\n"
        "# Age: NaN\n# Sex: Female\n# Dx: 251146004,426783006\n# Patient ID: 17\n",
        "E07500.hea");
    CHECK(header.record == "E07500");
    CHECK(header.signals[0].samples_per_frame == 1);
    CHECK(header.signals[0].byte_offset == 24);
    CHECK(header.signals[0].unit == PhysicalUnit::kMillivolt);
    CHECK(header.labels == std::vector<std::string>{"251146004", "426783006"});
    CHECK(header.patient == "17");
}

TEST_CASE("Missing fields get WFDB's defaults", "[wfdb]") {
    const auto header = parse_wfdb_header("#wfdb 10.6\n\nr 1\nr.dat 16", "r.hea");
    CHECK(header.sampling_hz == 250);
    CHECK(header.samples == 0);
    CHECK(header.signals[0].gain == 200);
    CHECK(header.signals[0].is_gain_missing);
    CHECK(header.signals[0].baseline == 0);
    CHECK(header.signals[0].unit == PhysicalUnit::kMillivolt);
    CHECK_FALSE(header.signals[0].initial_value);
    CHECK_FALSE(header.signals[0].checksum);
    CHECK(header.signals[0].lead.empty());
}

TEST_CASE("Gains are read in every form", "[wfdb]") {
    CHECK(signal_of("r.dat 16 1000(0)/mV 16 7 0 0 0 I").baseline == 0);
    CHECK(signal_of("r.dat 16 1000/mV 16 7 0 0 0 I").baseline == 7);
    CHECK(signal_of("r.dat 16 200(-15)/mV 16 7 0 0 0 I").baseline == -15);
    CHECK(signal_of("r.dat 16 1.052e+04/mV 16 0 0 0 0 I").gain == 10520);
    CHECK(signal_of("r.dat 16 0/mV 16 0 0 0 0 I").gain == 200);
    CHECK(signal_of("r.dat 16 0/mV 16 0 0 0 0 I").is_gain_missing);
    CHECK_FALSE(signal_of("r.dat 16 1000 16 0 0 0 0 I").is_gain_missing);
    CHECK(signal_of("r.dat 16 1000 16 0 0 0 0 I").unit == PhysicalUnit::kMillivolt);
    CHECK(signal_of("r.dat 16 1/uV 16 0 0 0 0 I").unit == PhysicalUnit::kMicrovolt);
    CHECK(signal_of("r.dat 16 1/\xC2\xB5V 16 0 0 0 0 I").unit == PhysicalUnit::kMicrovolt);
    CHECK(signal_of("r.dat 16 1000(0)/NU 16 0 0 0 0 I").unit == PhysicalUnit::kNone);
    CHECK(signal_of("r.dat 16 5/mmHg 16 0 0 0 0 ABP").unit == PhysicalUnit::kOther);
    CHECK(signal_of("r.dat 16 200 12 1024 0 0 0 MLII  lead two ").lead == "MLII  lead two");
}

TEST_CASE("Diagnosis codes are kept once, words of the first headers are mapped, others give no label", "[wfdb]") {
    const auto header = parse_wfdb_header(
        "r 1 500 10\nr.dat 16\n#Dx: 164889003,,59118001, 164889003 ,\n# Dx: RBBB,NORM,PVC,NORM\n# Labels: NORM\n",
        "r.hea");
    CHECK(header.labels == std::vector<std::string>{"164889003", "59118001", "164884008"});
    CHECK(header.unmapped_labels == std::vector<std::string>{"NORM"});
}

TEST_CASE("Age and sex are read in every spelling, and what is none is missing", "[wfdb]") {
    const auto with = [](const std::string& comments) {
        return parse_wfdb_header("r 1 500 10\nr.dat 16\n" + comments, "r.hea");
    };
    CHECK(with("#Age: 74\n#Sex: Male\n").age_years == 74.0);
    CHECK(with("# Age: 60.\n").age_years == 60.0);
    CHECK(with("# age: 90+\n").age_years == 90.0);
    for (const char* age : {"NaN", "-1", "999", "Unknown", ""})
        CHECK_FALSE(with(fmt::format("#Age: {}\n", age)).age_years);
    CHECK(with("#Sex: Male\n").sex == "male");
    CHECK(with("# Sex: F\n").sex == "female");
    CHECK(with("# Sex: NaN\n").sex.empty());
}

TEST_CASE("A first signal line that was merged into the record line is split off", "[wfdb]") {
    for (const char* line : {"JS01052 2 500 10JS01052.mat 16+24 1000/mV 16 0 1 2 0 I",
                             "JS01052 2 500 10 JS01052.mat 16+24 1000/mV 16 0 1 2 0 I"}) {
        CAPTURE(line);
        const auto header =
            parse_wfdb_header(fmt::format("{}\nJS01052.mat 16+24 1000/mV 16 0 1 2 0 II\n", line), "JS01052.hea");
        CHECK(header.samples == 10);
        REQUIRE(header.signals.size() == 2);
        CHECK(header.signals[0].file == "JS01052.mat");
        CHECK(header.signals[0].lead == "I");
        CHECK(header.repairs == std::vector<std::string>{"record line and first signal line were one: split"});
    }
}

TEST_CASE("Samples per frame, skew and offset are read together", "[wfdb]") {
    const auto signal = signal_of("r.dat 212x2:3+24 200(-5)/mV");
    CHECK(signal.format == 212);
    CHECK(signal.samples_per_frame == 2);
    CHECK(signal.skew == 3);
    CHECK(signal.byte_offset == 24);
}

TEST_CASE("An unknown patient is no patient, and bytes that are no UTF-8 are taken for Latin-1", "[wfdb]") {
    CHECK(parse_wfdb_header("r 1 500 10\nr.dat 16\n#Patient: Unknown\n", "r.hea").patient.empty());
    CHECK(parse_wfdb_header("r 1 500 10\nr.dat 16\n#Patient: M\xFCller\n", "r.hea").patient == "M\xC3\xBCller");
    CHECK(parse_wfdb_header("r 1 500 10\nr.dat 16\n#Patient: M\xC3\xBCller\n", "r.hea").patient == "M\xC3\xBCller");
    // Half of a UTF-16 pair, and a longer form than needed: no UTF-8 either.
    CHECK(parse_wfdb_header("r 1 500 10\nr.dat 16\n#Patient: \xED\xA0\x80\n", "r.hea").patient ==
          "\xC3\xAD\xC2\xA0\xC2\x80");
    CHECK(parse_wfdb_header("r 1 500 10\nr.dat 16\n#Patient: \xE0\x80\x80\n", "r.hea").patient ==
          "\xC3\xA0\xC2\x80\xC2\x80");
}

TEST_CASE("What is no header is refused with line, field, found and expected", "[wfdb]") {
    CHECK(has_all(problem_of(""), {"r.hea", "no record line"}));
    CHECK(has_all(problem_of("r\n"), {"r.hea:1", "'r'", "number of signals"}));
    CHECK(has_all(problem_of("r two 500\n"), {"r.hea:1", "number of signals", "'two'", "an integer"}));
    CHECK(has_all(problem_of("r 1 fast\nr.dat 16\n"), {"r.hea:1", "sampling rate", "'fast'"}));
    CHECK(has_all(problem_of("r/3 1 500\nr.dat 16\n"), {"r/3", "several segments"}));
    CHECK(has_all(problem_of("r 2 500 10\nr.dat 16\n"), {"found 1 signal lines", "expected 2"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16\nr.dat 16\n"), {"found 2 signal lines", "expected 1"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat\n"), {"r.hea:2", "signal line"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16*3\n"), {"r.hea:2", "format", "'16*3'"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16:-4\n"), {"r.hea:2", "format", "'16:-4'"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16x0\n"), {"r.hea:2", "samples per frame", "'16x0'"}));
    CHECK(has_all(problem_of("r -2 500 10\nr.dat 16\n"), {"r.hea:1", "found -2 signals"}));
    CHECK(has_all(problem_of("r 1 500 -10\nr.dat 16\n"), {"r.hea:1", "found -10 samples"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16 1e-300/mV\n"), {"r.hea:2", "gain", "no recorder"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16 1000(1e300)/mV\n"), {"r.hea:2", "gain"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16 big/mV\n"), {"r.hea:2", "gain", "'big/mV'"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16 nan/mV\n"), {"r.hea:2", "gain", "'nan/mV'"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16 1000(0/mV\n"), {"r.hea:2", "baseline"}));
    CHECK(has_all(problem_of("r 1 500 10\nr.dat 16 1000/mV 16 0 28 x 0 I\n"), {"r.hea:2", "checksum", "'x'"}));
}

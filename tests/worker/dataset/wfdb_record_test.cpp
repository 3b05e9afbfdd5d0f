#include "worker/dataset/wfdb_record.hpp"

#include "shared/arrays/safetensors.hpp"
#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

const std::filesystem::path kReference = std::filesystem::path(LEADSWEEP_SOURCE_DIR) / "tests/reference/wfdb";

std::string problem_of(const std::filesystem::path& header) {
    return input_error_of([&] { read_wfdb_record(header); });
}

std::vector<double> lead_values(const WfdbRecord& record, std::int64_t lead) {
    std::vector<double> values(static_cast<std::size_t>(record.samples));
    lead_in_microvolt(record, lead, values);
    return values;
}

std::string problem_with_mat(const std::string& bytes) {
    const ScratchFolder folder;
    const auto header = write_record(make_record(2, 30), folder.path());
    write_text(folder.path() / "A0001.mat", bytes);
    return problem_of(header);
}

}  // namespace

TEST_CASE("Physical values are those of wfdb-python, whatever the file's element type", "[wfdb]") {
    const auto expected = load_arrays((kReference / "tiny.safetensors").string()).at("physical_uv").values<double>();
    for (const std::string name :
         {"tiny", "tiny_int16", "tiny_int16_big_endian", "tiny_int32", "tiny_single", "tiny_double"}) {
        CAPTURE(name);
        const auto record = read_wfdb_record(kReference / (name + ".hea"));
        REQUIRE(record.leads() == 3);
        REQUIRE(record.samples == 40);
        CHECK(record.summaries[1].missing_samples == 1);
        CHECK(record.header.patient == "17");
        for (std::int64_t lead = 0; lead < 3; ++lead) {
            const auto values = lead_values(record, lead);
            for (std::size_t t = 0; t < values.size(); ++t) {
                // wfdb gives NaN for the missing sample; it lies between its neighbours here.
                const double reference = expected[static_cast<std::size_t>(lead) * 40 + t];
                if (lead == 1 && t == 11)
                    CHECK(values[t] == Approx((values[10] + values[12]) / 2));
                else
                    CHECK(values[t] == Approx(reference).epsilon(1e-12).margin(1e-9));
            }
        }
    }
}

TEST_CASE("Missing samples are interpolated, held at the ends, and counted", "[wfdb]") {
    auto made = make_record(2, 8);
    made.digital = {-32768, -32768, 100, -32768, -32768, 400, -32768, -32768, 1, 2, 3, 4, 5, 6, 7, 8};
    made.gain = "1/uV";
    const ScratchFolder folder;
    const auto record = read_wfdb_record(write_record(made, folder.path()));
    CHECK(record.summaries[0].missing_samples == 6);
    CHECK(lead_values(record, 0) == std::vector<double>{100, 100, 100, 200, 300, 400, 400, 400});
    CHECK(lead_values(record, 1) == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8});
    std::vector<double> window(4);
    CHECK(lead_in_microvolt(record, 0, window) == 3);
    CHECK(window == std::vector<double>{100, 100, 100, 200});
}

TEST_CASE("A lead without any sample is zero", "[wfdb]") {
    auto made = make_record(1, 3);
    made.digital = {-32768, -32768, -32768};
    const ScratchFolder folder;
    const auto record = read_wfdb_record(write_record(made, folder.path()));
    CHECK(record.summaries[0].is_constant());
    CHECK(lead_values(record, 0) == std::vector<double>{0, 0, 0});
}

TEST_CASE("Units decide the scale, and a signal without unit counts as mV", "[wfdb]") {
    WfdbSignal signal;
    signal.gain = 500;
    CHECK(microvolt_per_step(signal) == 2);
    signal.unit = PhysicalUnit::kNone;
    CHECK(microvolt_per_step(signal) == 2);
    signal.unit = PhysicalUnit::kMicrovolt;
    CHECK(microvolt_per_step(signal) == 0.002);
    signal.unit = PhysicalUnit::kVolt;
    CHECK(microvolt_per_step(signal) == 2000);
}

TEST_CASE("Signals may be spread over several files, and the header may leave out the number of samples", "[wfdb]") {
    const ScratchFolder folder;
    const std::int16_t first[] = {1, 10, 2, 20, 3, 30};
    const std::int16_t second[] = {100, 200, 300};
    write_text(folder.path() / "a.dat", {reinterpret_cast<const char*>(first), sizeof first});
    write_text(folder.path() / "b.dat", {reinterpret_cast<const char*>(second), sizeof second});
    write_text(folder.path() / "r.hea",
               "r 3 500\na.dat 16 1/uV 16 0 1 6 0 I\na.dat 16 1/uV 16 0 10 60 0 II\n"
               "b.dat 16 1/uV 16 0 100 600 0 V1\n");
    const auto record = read_wfdb_record(folder.path() / "r.hea");
    CHECK(record.digital == std::vector<std::int32_t>{1, 2, 3, 10, 20, 30, 100, 200, 300});
    CHECK(signal_files(record.header, "f") == std::vector<std::filesystem::path>{"f/a.dat", "f/b.dat"});
}

TEST_CASE("An unsigned checksum is the same as a signed one", "[wfdb]") {
    auto made = make_record(2, 3);
    made.digital = {-1, -1, -1, -5, 0, 0};
    made.checksum_error = 65536;
    const ScratchFolder folder;
    CHECK(read_wfdb_record(write_record(made, folder.path())).samples == 3);
}

TEST_CASE("Header and data that disagree are refused with signal, found and expected", "[wfdb]") {
    const ScratchFolder folder;
    auto made = make_record(2, 30);
    SECTION("checksum") {
        made.checksum_error = 1;
        CHECK(has_all(problem_of(write_record(made, folder.path())),
                      {"A0001.mat", "signal 1 (II)", "found checksum", "expected", "damaged"}));
    }
    SECTION("initial value") {
        made.initial_value_error = 3;
        CHECK(has_all(problem_of(write_record(made, folder.path())),
                      {"A0001.mat", "signal 1 (II)", "found initial value -990", "expected -987"}));
    }
    SECTION("more samples announced than the matrix has") {
        made.announced_samples = 31;
        CHECK(has_all(problem_of(write_record(made, folder.path())), {"A0001.mat", "found 30 samples", "expected 31"}));
    }
    SECTION("fewer samples announced than a raw file has") {
        made.extension = ".dat";
        made.announced_samples = 29;
        CHECK(has_all(problem_of(write_record(made, folder.path())), {"A0001.dat", "found 30 samples", "expected 29"}));
    }
    SECTION("more samples announced than a raw file has") {
        made.extension = ".dat";
        made.announced_samples = 31;
        CHECK(has_all(problem_of(write_record(made, folder.path())),
                      {"A0001.dat", "truncated", "found 30 samples", "expected 31"}));
    }
    SECTION("another number of signals") {
        const auto header = write_record(made, folder.path());
        auto other = make_record(3, 30);
        write_text(folder.path() / "A0001.mat", signal_bytes(other));
        CHECK(has_all(problem_of(header), {"A0001.mat", "found 3 rows", "expected 2"}));
    }
    SECTION("an offset that is not where the data begin") {
        made.format = "16+20";
        CHECK(has_all(problem_of(write_record(made, folder.path())), {"A0001.mat", "from byte 24", "expected 20"}));
    }
    SECTION("a standard lead in a unit that is no voltage") {
        made.gain = "1000/mmHg";
        CHECK(has_all(problem_of(write_record(made, folder.path())), {"signal 0 (I)", "'mmHg'", "mV, uV, V or NU"}));
    }
}

TEST_CASE("Missing and truncated files are told apart", "[wfdb]") {
    const ScratchFolder folder;
    const auto made = make_record(2, 30);
    const auto header = write_record(made, folder.path());
    const std::string bytes = signal_bytes(made);
    CHECK(has_all(problem_of(folder.path() / "B.hea"), {"B.hea", "No such file"}));
    std::filesystem::resize_file(folder.path() / "A0001.mat", bytes.size() - 2);
    CHECK(has_all(problem_of(header), {"A0001.mat", "truncated", "found 29 samples", "expected 30"}));
    std::filesystem::resize_file(folder.path() / "A0001.mat", 7);
    CHECK(has_all(problem_of(header), {"A0001.mat", "truncated", "found 7 bytes"}));
    std::filesystem::resize_file(folder.path() / "A0001.mat", 0);
    CHECK(has_all(problem_of(header), {"A0001.mat", "truncated", "found 0 bytes"}));
    std::filesystem::remove(folder.path() / "A0001.mat");
    CHECK(has_all(problem_of(header), {"A0001.mat", "No such file", "A0001.hea names it"}));
}

TEST_CASE("MATLAB files of other levels and kinds are named", "[wfdb]") {
    const auto with_type = [](std::int32_t type, std::int32_t is_complex) {
        const std::int32_t matrix[5] = {type, 2, 30, is_complex, 4};
        return std::string(reinterpret_cast<const char*>(matrix), sizeof matrix) + std::string(200, '\0');
    };
    CHECK(has_all(problem_with_mat("MATLAB 5.0 MAT-file, Platform: GLNXA64" + std::string(200, ' ')), {"level 5"}));
    CHECK(has_all(problem_with_mat("MATLAB 7.3 MAT-file, Platform: GLNXA64" + std::string(200, ' ')), {"7.3", "HDF5"}));
    CHECK(has_all(problem_with_mat(with_type(31, 0)), {"MATLAB type 31", "full real matrix"}));
    CHECK(has_all(problem_with_mat(with_type(32, 0)), {"MATLAB type 32"}));
    CHECK(has_all(problem_with_mat(with_type(30, 1)), {"MATLAB type 30 (complex)"}));
    CHECK(has_all(problem_with_mat(with_type(60, 0)), {"MATLAB type 60"}));
}

TEST_CASE("A matrix of doubles that are no ADC values is refused", "[wfdb]") {
    const std::int32_t matrix[5] = {0, 2, 30, 0, 4};
    const std::vector<double> values(60, 0.25);
    std::string bytes(reinterpret_cast<const char*>(matrix), sizeof matrix);
    bytes.append("val\0", 4);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
    CHECK(has_all(problem_with_mat(bytes), {"element 0 is 0.25", "whole number"}));
}

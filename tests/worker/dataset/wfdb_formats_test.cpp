// Formats, rates, skews and MATLAB level 5, compared with what wfdb-python and SciPy read (tests/reference/wfdb).
#include <fstream>
#include <iterator>

#include <fmt/ranges.h>

#include "shared/arrays/safetensors.hpp"
#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/signal_format.hpp"
#include "worker/dataset/wfdb_record.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

const std::filesystem::path kReference = std::filesystem::path(LEADSWEEP_SOURCE_DIR) / "tests/reference/wfdb";

std::string problem_of(const std::filesystem::path& header) {
    return input_error_of([&] { read_wfdb_record(header); });
}

/// A record of two signals in one file, all bytes given.
std::filesystem::path write_raw(const std::filesystem::path& folder, const std::string& format, std::int64_t samples,
                                const std::string& bytes) {
    write_text(folder / "r.dat", bytes);
    write_text(folder / "r.hea",
               fmt::format("r 2 500 {0}\nr.dat {1} 1/uV 16 0\nr.dat {1} 1/uV 16 0\n", samples, format));
    return folder / "r.hea";
}

}  // namespace

TEST_CASE("Every WFDB format is read as wfdb-python reads it", "[wfdb][reference]") {
    const ArrayFile reference = load_arrays((kReference / "formats.safetensors").string());
    for (const std::string format : {"16", "24", "32", "61", "80", "212"}) {
        CAPTURE(format);
        const auto record = read_wfdb_record(kReference / ("format_" + format + ".hea"));
        REQUIRE(record.samples == 41);
        CHECK(record.digital == reference.at("format_" + format + "_digital").values<std::int32_t>());
        CHECK(record.summaries[1].missing_samples == 1);
        const auto physical = reference.at("format_" + format + "_uv").values<double>();
        std::vector<double> lead(41);
        for (std::int64_t i = 0; i < 3; ++i) {
            lead_in_microvolt(record, i, lead);
            for (std::size_t t = 0; t < 41; ++t)
                if (i != 1 || t != 7)  // the missing one is NaN there
                    CHECK(lead[t] == Approx(physical[static_cast<std::size_t>(i) * 41 + t]).epsilon(1e-12));
        }
        CHECK(lead.size() == 41);
    }
}

TEST_CASE("Signals of several rates come at that of the leads, and a skewed one is moved", "[wfdb][reference]") {
    const ArrayFile reference = load_arrays((kReference / "formats.safetensors").string());
    const auto record = read_wfdb_record(kReference / "frames.hea");
    CHECK(record.header.sampling_hz == 125);
    CHECK(record.sampling_hz == 500);
    REQUIRE(record.samples == 120);
    const auto second = reference.at("frames_II").values<std::int32_t>();
    CHECK(std::equal(second.begin(), second.end(), record.lead(1).begin(), record.lead(1).end()));
    // Two frames late: the last eight samples are not there. wfdb-python marks them with a value of its own.
    const auto first = reference.at("frames_I").values<std::int32_t>();
    CHECK(std::equal(first.begin(), first.begin() + 112, record.lead(0).begin()));
    CHECK(record.lead(0)[112] == -32768);
    CHECK(record.summaries[0].missing_samples == 8);
    // 0, 10, 20 ... at 125 Hz, linear between.
    CHECK(record.lead(2)[0] == 0);
    CHECK(record.lead(2)[2] == 5);
    CHECK(record.lead(2)[116] == 290);
    CHECK(record.lead(2)[119] == 290);
    CHECK(has_all(fmt::format("{}", fmt::join(record.repairs, "; ")),
                  {"lead I is 2 frames late: moved", "ABP has 125 Hz: interpolated to 500 Hz"}));
}

TEST_CASE("MATLAB level 5 is read, compressed or not", "[wfdb][reference]") {
    const auto expected = read_wfdb_record(kReference / "tiny.hea");
    for (const std::string name : {"level5", "level5_compressed"}) {
        CAPTURE(name);
        CHECK(read_wfdb_record(kReference / (name + ".hea")).digital == expected.digital);
    }
}

TEST_CASE("A damaged level 5 file is refused, however it is damaged", "[wfdb]") {
    const ScratchFolder folder;
    for (const std::string name : {"level5", "level5_compressed"}) {
        std::ifstream file(kReference / (name + ".mat"), std::ios::binary);
        const std::string whole((std::istreambuf_iterator<char>(file)), {});
        std::filesystem::copy_file(kReference / (name + ".hea"), folder.path() / (name + ".hea"));
        for (const std::size_t size : {std::size_t{20}, std::size_t{127}, whole.size() / 2, whole.size() - 9}) {
            write_text(folder.path() / (name + ".mat"), std::string_view(whole).substr(0, size));
            CAPTURE(name, size);
            CHECK(has_all(problem_of(folder.path() / (name + ".hea")), {name + ".mat", "level 5"}));
        }
    }
}

TEST_CASE("A level 5 file with a structure or an impossible size is refused by name", "[wfdb]") {
    const ScratchFolder folder;
    std::filesystem::copy_file(kReference / "level5.hea", folder.path() / "level5.hea");
    const auto problem_with = [&](std::size_t place, char byte) {
        std::ifstream file(kReference / "level5.mat", std::ios::binary);
        std::string bytes((std::istreambuf_iterator<char>(file)), {});
        bytes[place] = byte;
        write_text(folder.path() / "level5.mat", bytes);
        return problem_of(folder.path() / "level5.hea");
    };
    constexpr std::size_t kFirstVariable = 128;
    CHECK(has_all(problem_with(kFirstVariable + 16, 2), {"level5.mat", "a structure", "class 2"}));
    CHECK(has_all(problem_with(kFirstVariable + 35, 1), {"level5.mat", "truncated", "16777217 x 16"}));
}

TEST_CASE("A compressed matrix of level 5 is looked into before matio trusts it", "[wfdb]") {
    const ScratchFolder folder;
    const std::filesystem::path header = folder.path() / "level5_compressed.hea";
    std::filesystem::copy_file(kReference / header.filename(), header);
    const auto problem_with = [&](const char* name) {
        std::filesystem::copy_file(kReference / name, folder.path() / "level5_compressed.mat",
                                   std::filesystem::copy_options::overwrite_existing);
        return problem_of(header);
    };
    CHECK(has_all(problem_with("level5_structure.mat"), {"level5_compressed.mat", "a structure", "class 2"}));
    CHECK(has_all(problem_with("level5_long_name.mat"), {"level5_compressed.mat", "not two dimensions, or is damaged"}));
}

TEST_CASE("Samples of 12 bits lie in groups of three bytes", "[wfdb]") {
    const ScratchFolder folder;
    // 0x123 and 0x801 (-2047), 0x7FF and 0xFFF (-1), then a last frame of 5 and 6.
    const std::string bytes("\x23\x81\x01\xFF\xF7\xFF\x05\x00\x06", 9);
    const auto record = read_wfdb_record(write_raw(folder.path(), "212", 3, bytes));
    CHECK(record.digital == std::vector<std::int32_t>{0x123, 0x7FF, 5, -2047, -1, 6});
    CHECK(samples_in(212, 8) == 5);
    CHECK(samples_in(212, 7) == 4);
}

TEST_CASE("Formats that are not read, and files whose signals disagree, are named", "[wfdb]") {
    const ScratchFolder folder;
    const std::string bytes(12, '\0');
    CHECK(has_all(problem_of(write_raw(folder.path(), "310", 3, bytes)),
                  {"signal 0", "found format 310", "expected one of 16, 24, 32, 61, 80 and 212"}));
    write_text(folder.path() / "r.hea", "r 2 500 3\nr.dat 16 1/uV\nr.dat 80 1/uV\n");
    CHECK(has_all(problem_of(folder.path() / "r.hea"), {"signal 1", "found format 80", "expected 16"}));
    write_text(folder.path() / "r.hea", "r 2 500 3\nr.dat 16 1/uV 16 0 0 0 0 V1\nr.dat 16 1/uV 16 0 0 0 0 v1\n");
    CHECK(has_all(problem_of(folder.path() / "r.hea"), {"signals 0 and 1", "both lead V1"}));
    CHECK(
        has_all(problem_of(write_raw(folder.path(), "24", 3, bytes)), {"truncated", "found 2 samples", "expected 3"}));
}

TEST_CASE("Frames of several samples are told apart by signal", "[wfdb]") {
    const ScratchFolder folder;
    write_text(folder.path() / "r.dat", std::string("\x01\x00\x02\x00\x0A\x00\x03\x00\x04\x00\x14\x00", 12));
    write_text(folder.path() / "r.hea", "r 2 250 2\nr.dat 16x2 1/uV 16 0 1 10 0 II\nr.dat 16 1/uV 16 0 10 30 0 resp\n");
    const auto record = read_wfdb_record(folder.path() / "r.hea");
    CHECK(record.sampling_hz == 500);
    CHECK(record.digital == std::vector<std::int32_t>{1, 2, 3, 4, 10, 15, 20, 20});
}

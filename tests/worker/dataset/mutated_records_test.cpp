// Headers and signal files changed at random, but always the same: each is refused by a typed error or read with sane
// values, and nothing crashes.
#include <cmath>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/wfdb_record.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

constexpr int kMutants = 400;
const std::filesystem::path kReference = std::filesystem::path(LEADSWEEP_SOURCE_DIR) / "tests/reference/wfdb";

std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t replace_one(std::string& text, std::mt19937& random) {
    const std::size_t begin = text.find_first_of(" \n", random() % text.size());
    if (begin == std::string::npos) return 0;
    const std::size_t end = std::min(text.find_first_of(" \n", begin + 1), text.size());
    static const std::vector<std::string> words = {"-1",
                                                   "0",
                                                   "-9223372036854775808",
                                                   "9223372036854775808",
                                                   "1e400",
                                                   "nan",
                                                   "inf",
                                                   "16x0",
                                                   "16x99999999",
                                                   "212",
                                                   "16+1e9",
                                                   "",
                                                   "1e-300/mV",
                                                   "-1000/mV",
                                                   "\xFF\xFE",
                                                   "16:9999",
                                                   "x",
                                                   "1000(1e300)/mV",
                                                   "..\t/etc",
                                                   "80"};
    text.replace(begin + 1, end - begin - 1, words[random() % words.size()]);
    return 1;
}

std::string mutated_text(std::string text, std::mt19937& random) {
    switch (random() % 5) {
        case 0:
            text.resize(random() % text.size());
            return text;
        case 1:
            text[random() % text.size()] = static_cast<char>(random());
            return text;
        case 2: {  // two lines change places
            const std::size_t first = text.find('\n');
            const std::size_t second = text.find('\n', first + 1);
            return text.substr(first + 1, second - first) + text.substr(0, first + 1) + text.substr(second + 1);
        }
        default:
            for (std::size_t changes = 1 + random() % 3; changes > 0; --changes) replace_one(text, random);
            return text;
    }
}

std::string mutated_bytes(std::string bytes, std::mt19937& random) {
    switch (random() % 4) {
        case 0:
            bytes.resize(random() % bytes.size());
            return bytes;
        case 1:
            return bytes + bytes;
        case 2:
            std::swap(bytes[random() % bytes.size()], bytes[random() % 24 % bytes.size()]);
            [[fallthrough]];
        default:
            for (std::size_t i = 1 + random() % 8; i > 0; --i)
                bytes[random() % bytes.size()] = static_cast<char>(random());
            return bytes;
    }
}

/// What became of a mutant.
struct Tally {
    int refused = 0;
    int read = 0;
    int repaired = 0;
};

void look_at(const std::filesystem::path& header, Tally& tally) {
    WfdbRecord record;
    try {
        record = read_wfdb_record(header);
    } catch (const InputError& error) {
        // A message names the file.
        CHECK(std::string(error.what()).find(header.stem().string()) != std::string::npos);
        ++tally.refused;
        return;
    }
    ++tally.read;
    tally.repaired += record.repairs.empty() ? 0 : 1;
    REQUIRE(record.sampling_hz > 0);
    REQUIRE(static_cast<std::int64_t>(record.digital.size()) == record.leads() * record.samples);
    std::vector<double> values(static_cast<std::size_t>(record.samples));
    for (std::int64_t lead = 0; lead < record.leads(); ++lead) {
        lead_in_microvolt(record, lead, values);
        for (const double value : values) REQUIRE(std::isfinite(value));
    }
}

}  // namespace

TEST_CASE("Hundreds of damaged headers and signal files are refused or read, and never crash", "[wfdb][mutated]") {
    std::mt19937 random(7);
    const ScratchFolder folder;
    Tally headers;
    Tally files;
    for (const std::string name :
         {"tiny", "tiny_int16", "tiny_double", "format_212", "frames", "level5", "level5_compressed"}) {
        const std::string text = bytes_of(kReference / (name + ".hea"));
        const std::string extension = std::filesystem::exists(kReference / (name + ".mat")) ? ".mat" : ".dat";
        const std::string bytes = bytes_of(kReference / (name + extension));
        for (int i = 0; i < kMutants / 7 + 1; ++i) {
            CAPTURE(name, i);
            write_text(folder.path() / (name + ".hea"), mutated_text(text, random));
            write_text(folder.path() / (name + extension), bytes);
            look_at(folder.path() / (name + ".hea"), headers);
            write_text(folder.path() / (name + ".hea"), text);
            write_text(folder.path() / (name + extension), mutated_bytes(bytes, random));
            look_at(folder.path() / (name + ".hea"), files);
        }
    }
    INFO("headers: " << headers.refused << " refused, " << headers.read << " read, " << headers.repaired
                     << " repaired");
    INFO("files: " << files.refused << " refused, " << files.read << " read");
    CHECK(headers.refused + headers.read >= kMutants);
    CHECK(files.refused + files.read >= kMutants);
    CHECK(headers.refused > kMutants / 4);
    CHECK(headers.read > 0);
    // What changes samples shows in the checksum; what comes after a complete matrix is not looked at.
    CHECK(files.refused > kMutants * 3 / 4);
}

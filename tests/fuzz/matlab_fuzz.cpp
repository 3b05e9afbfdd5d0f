// Any bytes as a MATLAB file of level 4 or 5: numbers or InputError. Level 5 goes through libmatio, which takes files
// only: it gets one in memory.
#include <span>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "tests/fuzz/target.hpp"
#include "worker/dataset/matlab4.hpp"
#include "worker/dataset/matlab5.hpp"

using namespace leadsweep;

namespace {

constexpr std::int32_t kMissing = -32768;

void read_level4(std::span<const std::byte> file) {
    const Matlab4Matrix matrix = parse_matlab4(file, "fuzz.mat");
    if (matrix.rows * matrix.columns > 100000) return;  // far more than the file can hold
    std::vector<std::int32_t> values(static_cast<std::size_t>(matrix.rows * matrix.columns));
    decode_matlab4(matrix, file, "fuzz.mat", kMissing, values);
}

void read_level5(std::span<const std::byte> file) {
    const int descriptor = ::memfd_create("fuzz.mat", MFD_CLOEXEC);
    if (descriptor < 0) return;
    const bool is_written = ::write(descriptor, file.data(), file.size()) == static_cast<ssize_t>(file.size());
    try {
        if (is_written) read_matlab5(fmt::format("/proc/self/fd/{}", descriptor), file, kMissing);
    } catch (const InputError&) {
        // As promised.
    }
    ::close(descriptor);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
    if (is_matlab5(file)) {
        read_level5(file);
        return 0;
    }
    try {
        read_level4(file);
    } catch (const InputError&) {
        // As promised.
    }
    return 0;
}

std::vector<std::string> fuzz::seeds() {
    const std::string folder = LEADSWEEP_SOURCE_DIR "/tests/reference/wfdb/";
    std::vector<std::string> seeds;
    for (const char* name : {"tiny_int16", "tiny_int16_big_endian", "tiny_double", "level5", "level5_compressed",
                             "level5_long_name", "level5_structure"})
        seeds.push_back(read_file(folder + name + ".mat"));
    return seeds;
}

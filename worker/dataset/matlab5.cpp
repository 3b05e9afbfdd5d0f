#include "worker/dataset/matlab5.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <matio.h>
#include <zlib.h>

#include "shared/core/errors.hpp"
#include "worker/dataset/matlab_value.hpp"

namespace leadsweep {
namespace {

/// More elements than any record has: 12 leads of three hours at 1000 Hz. Keeps a damaged size from asking for memory.
constexpr std::size_t kMostElements = std::size_t{1} << 27U;

struct CloseFile {
    void operator()(mat_t* file) const { Mat_Close(file); }
};
struct FreeVariable {
    void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
};
using File = std::unique_ptr<mat_t, CloseFile>;
using Variable = std::unique_ptr<matvar_t, FreeVariable>;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& problem) {
    throw InputError(fmt::format("{}: {}", path.string(), problem));
}

/// matio prints what it dislikes to stderr unless told otherwise; our messages say it in their own words.
void silence_matio() {
    static const int is_silent = Mat_LogInitFunc("", [](int, auto*) {});
    (void)is_silent;
}

bool is_numeric(const matvar_t& variable) {
    return variable.class_type >= MAT_C_DOUBLE && variable.class_type <= MAT_C_UINT64;
}

bool is_matrix(const matvar_t& variable) {
    return is_numeric(variable) && variable.isComplex == 0 && variable.rank == 2 && variable.dims != nullptr;
}

std::string describe(const matvar_t& variable) {
    const std::string name = variable.name != nullptr ? variable.name : "";
    const char* kind = variable.class_type == MAT_C_STRUCT   ? "a structure"
                       : variable.class_type == MAT_C_SPARSE ? "sparse"
                       : variable.class_type == MAT_C_CHAR   ? "text"
                       : variable.isComplex != 0             ? "complex"
                                                             : "no matrix";
    return fmt::format("'{}' ({})", name, kind);
}

std::uint32_t word_at(std::span<const std::byte> file, std::size_t place, bool is_swapped) {
    std::array<std::byte, 4> bytes{};
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(place), bytes.size(), bytes.begin());
    if (is_swapped) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<std::uint32_t>(bytes);
}

constexpr std::size_t kTagBytes = 8;

/// A small element holds its data in its tag.
std::size_t end_of_element(std::span<const std::byte> file, std::size_t place, bool is_swapped) {
    const bool is_small = word_at(file, place, is_swapped) >> 16U != 0;
    const std::size_t length = is_small ? 0 : word_at(file, place + 4, is_swapped);
    return place + kTagBytes + (length + 7) / 8 * 8;
}

constexpr std::size_t kLongestName = 64;
/// Tag, flags, two dimensions, the longest name and the tag of the data: all that is looked at in a matrix.
constexpr std::size_t kMostHeadBytes = 8 + 16 + 16 + (8 + kLongestName) + 8;

/// Looks at flags, dimensions and name of a matrix, whose `head` begins with its tag: matio trusts their lengths.
/// `size`: the bytes that the matrix has, its tag included.
void check_matrix(std::span<const std::byte> head, std::size_t size, bool is_swapped,
                  const std::filesystem::path& path) {
    constexpr std::size_t kDimensions = 24;  // behind the matrix's own tag and the flags
    constexpr std::size_t kName = 40;        // behind two dimensions
    if (kName + kTagBytes > head.size()) fail(path, "MATLAB level 5: truncated within a matrix");
    const std::uint32_t kind = word_at(head, 16, is_swapped) & 0xFFU;
    if (kind != MAT_C_CHAR && (kind < MAT_C_DOUBLE || kind > MAT_C_UINT64))
        fail(path, fmt::format("MATLAB level 5: found a structure, a cell, a sparse matrix or an object (class {}), "
                               "expected a full matrix alone: save it with -v4 or -v6",
                               kind));
    const bool has_two = word_at(head, kDimensions, is_swapped) == MAT_T_INT32 &&
                         word_at(head, kDimensions + 4, is_swapped) == 2 * sizeof(std::int32_t);
    const std::size_t data = end_of_element(head, kName, is_swapped);
    if (!has_two || data > kName + kTagBytes + kLongestName || data + kTagBytes > head.size() ||
        end_of_element(head, data, is_swapped) > size)
        fail(path, "MATLAB level 5: found a matrix that has not two dimensions, or is damaged");
    const std::uint64_t rows = word_at(head, kDimensions + kTagBytes, is_swapped);
    const std::uint64_t columns = word_at(head, kDimensions + kTagBytes + 4, is_swapped);
    if (rows * columns > size)  // an element has a byte at least
        fail(path, fmt::format("MATLAB level 5: truncated: found {} bytes for a matrix of {} x {}", size, rows, columns));
}

/// The first bytes of what a compressed element holds.
std::vector<std::byte> start_of_compressed(std::span<const std::byte> compressed) {
    std::vector<std::byte> start(kMostHeadBytes);
    z_stream stream{};
    if (::inflateInit(&stream) != Z_OK) throw std::bad_alloc();
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(compressed.data()));
    stream.avail_in = static_cast<uInt>(compressed.size());
    stream.next_out = reinterpret_cast<Bytef*>(start.data());
    stream.avail_out = static_cast<uInt>(start.size());
    ::inflate(&stream, Z_SYNC_FLUSH);  // what is damaged ends early: the start is too short then
    start.resize(start.size() - stream.avail_out);
    ::inflateEnd(&stream);
    return start;
}

void check_compressed(std::span<const std::byte> compressed, bool is_swapped, const std::filesystem::path& path) {
    const std::vector<std::byte> start = start_of_compressed(compressed);
    if (start.size() < kTagBytes || word_at(start, 0, is_swapped) != MAT_T_MATRIX)
        fail(path, "MATLAB level 5: found a compressed element that is no matrix, or is damaged");
    check_matrix(start, kTagBytes + word_at(start, 4, is_swapped), is_swapped, path);
}

/// Follows the tags of the variables (type, length) from the end of the 128-byte header to the end of the file, and
/// looks into each.
void check_variables(std::span<const std::byte> file, const std::filesystem::path& path) {
    constexpr std::size_t kHeaderBytes = 128;
    // "IM" for little-endian files, "MI" for big-endian ones.
    const bool is_swapped = file.size() >= kHeaderBytes && file[kHeaderBytes - 2] == std::byte{'M'};
    std::size_t place = kHeaderBytes;
    while (place + kTagBytes <= file.size()) {
        const std::uint32_t type = word_at(file, place, is_swapped);
        const std::size_t length = word_at(file, place + 4, is_swapped);
        const auto rest = file.subspan(place);
        if (type == MAT_T_MATRIX)
            check_matrix(rest, rest.size(), is_swapped, path);
        else if (type == MAT_T_COMPRESSED)
            check_compressed(rest.subspan(kTagBytes, std::min(length, rest.size() - kTagBytes)), is_swapped, path);
        else
            fail(path, fmt::format("MATLAB level 5: found an element of type {}, expected a matrix", type));
        place += kTagBytes + length;
    }
    if (place != file.size())
        fail(path, fmt::format("MATLAB level 5: truncated, or damaged: found {} bytes, its tags tell of {}",
                               file.size(), place));
}

/// `val` if it is there, else the first matrix.
Variable choose_variable(mat_t* file, const std::filesystem::path& path) {
    Variable chosen;
    std::string others;
    while (Variable variable{Mat_VarReadNextInfo(file)}) {
        if (!is_matrix(*variable)) {
            others += (others.empty() ? "" : ", ") + describe(*variable);
            continue;
        }
        const bool is_named = variable->name != nullptr && std::string_view(variable->name) == "val";
        if (!chosen || is_named) chosen = std::move(variable);
        if (is_named) break;
    }
    if (!chosen)
        fail(path, fmt::format("MATLAB level 5: found {}, expected a full real matrix",
                               others.empty() ? "no variable that can be read" : others));
    return chosen;
}

void require_size(const matvar_t& matrix, const std::filesystem::path& path) {
    const bool is_sane = matrix.dims[0] >= 1 && matrix.dims[1] <= kMostElements && matrix.dims[0] <= kMostElements &&
                         matrix.dims[0] * matrix.dims[1] <= kMostElements;
    if (!is_sane)
        fail(path, fmt::format("MATLAB level 5: found a matrix of {} x {}, expected at most {} elements",
                               matrix.dims[0], matrix.dims[1], kMostElements));
}

template <class Value>
void copy_values(const matvar_t& matrix, std::int32_t missing, const std::filesystem::path& path,
                 std::vector<std::int32_t>& out) {
    const auto* from = static_cast<const Value*>(matrix.data);
    const std::string name = path.string();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = adc_value(from[i], missing, name, i);
}

void copy_any(const matvar_t& matrix, std::int32_t missing, const std::filesystem::path& path,
              std::vector<std::int32_t>& out) {
    switch (matrix.class_type) {
        case MAT_C_DOUBLE:
            return copy_values<double>(matrix, missing, path, out);
        case MAT_C_SINGLE:
            return copy_values<float>(matrix, missing, path, out);
        case MAT_C_INT8:
            return copy_values<std::int8_t>(matrix, missing, path, out);
        case MAT_C_UINT8:
            return copy_values<std::uint8_t>(matrix, missing, path, out);
        case MAT_C_INT16:
            return copy_values<std::int16_t>(matrix, missing, path, out);
        case MAT_C_UINT16:
            return copy_values<std::uint16_t>(matrix, missing, path, out);
        case MAT_C_INT32:
            return copy_values<std::int32_t>(matrix, missing, path, out);
        case MAT_C_UINT32:
            return copy_values<std::uint32_t>(matrix, missing, path, out);
        case MAT_C_INT64:
            return copy_values<std::int64_t>(matrix, missing, path, out);
        default:
            return copy_values<std::uint64_t>(matrix, missing, path, out);
    }
}

}  // namespace

bool is_matlab5(std::span<const std::byte> file) {
    constexpr std::string_view kStart = "MATLAB 5.0";
    return file.size() >= kStart.size() &&
           std::string_view(reinterpret_cast<const char*>(file.data()), kStart.size()) == kStart;
}

Matlab5Matrix read_matlab5(const std::filesystem::path& path, std::span<const std::byte> file_bytes,
                           std::int32_t missing) {
    check_variables(file_bytes, path);
    silence_matio();
    const File file(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
    if (!file) fail(path, "MATLAB level 5: matio cannot open it: the file is damaged");
    const Variable matrix = choose_variable(file.get(), path);
    require_size(*matrix, path);
    if (Mat_VarReadDataAll(file.get(), matrix.get()) != 0)
        fail(path, "MATLAB level 5: matio cannot read the matrix: the file is damaged");
    const std::size_t elements = matrix->dims[0] * matrix->dims[1];
    if (elements > 0 && (matrix->data == nullptr || matrix->nbytes < elements * Mat_SizeOfClass(matrix->class_type)))
        fail(path, "MATLAB level 5: truncated: the matrix is not complete");
    Matlab5Matrix read{static_cast<std::int64_t>(matrix->dims[0]), static_cast<std::int64_t>(matrix->dims[1]),
                       std::vector<std::int32_t>(elements)};
    copy_any(*matrix, missing, path, read.values);
    return read;
}

}  // namespace leadsweep

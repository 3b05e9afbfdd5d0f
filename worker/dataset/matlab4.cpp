#include "worker/dataset/matlab4.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "worker/dataset/matlab_value.hpp"

namespace leadsweep {
namespace {

static_assert(std::endian::native == std::endian::little, "records and packs are little-endian");

constexpr std::size_t kHeaderBytes = 20;
constexpr std::array<std::int64_t, 6> kElementBytes = {8, 4, 4, 2, 2, 1};

template <class Value>
Value load(const std::byte* from, bool is_swapped) {
    std::array<std::byte, sizeof(Value)> bytes;
    std::memcpy(bytes.data(), from, sizeof(Value));
    if (is_swapped) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<Value>(bytes);
}

template <class Value>
void decode_as(const Matlab4Matrix& matrix, const std::byte* data, const std::string& name, std::int32_t missing,
               std::span<std::int32_t> out) {
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = adc_value(load<Value>(data + i * sizeof(Value), matrix.is_big_endian), missing, name, i);
}

}  // namespace

std::int64_t Matlab4Matrix::element_bytes() const {
    return kElementBytes.at(static_cast<std::size_t>(precision));
}

Matlab4Matrix parse_matlab4(std::span<const std::byte> file, const std::string& name) {
    if (file.size() < kHeaderBytes)
        throw InputError(fmt::format("{}: truncated: found {} bytes, expected a header of 20", name, file.size()));
    const std::string_view start(reinterpret_cast<const char*>(file.data()), kHeaderBytes);
    if (start.starts_with("MATLAB 7.3") || start.starts_with("\x89HDF"))
        throw InputError(
            fmt::format("{}: found MATLAB level 7.3 (HDF5), expected level 4 or 5: save it with -v6", name));
    Matlab4Matrix matrix;
    // MOPT is at most 4052; read in the wrong byte order it is far larger.
    matrix.is_big_endian = static_cast<std::uint32_t>(load<std::int32_t>(file.data(), false)) > 9999U;
    std::array<std::int32_t, 5> fields{};
    for (std::size_t i = 0; i < fields.size(); ++i)
        fields[i] = load<std::int32_t>(file.data() + 4 * i, matrix.is_big_endian);
    const auto [type, rows, columns, is_complex, name_bytes] = fields;
    matrix.precision = type / 10 % 10;
    const bool is_known = type >= 0 && type / 1000 == (matrix.is_big_endian ? 1 : 0) && type / 100 % 10 == 0 &&
                          matrix.precision <= 5 && type % 10 == 0;
    if (!is_known || is_complex != 0)
        throw InputError(
            fmt::format("{}: found MATLAB type {}{}, expected a full real matrix of level 4 (0, 10, 20, "
                        "30, 40 or 50)",
                        name, type, is_complex != 0 ? " (complex)" : ""));
    if (rows < 1 || columns < 0 || name_bytes < 0)
        throw InputError(fmt::format("{}: found {} rows, {} columns, a name of {} bytes: this is no matrix", name, rows,
                                     columns, name_bytes));
    matrix.rows = rows;
    matrix.columns = columns;
    matrix.data_offset = static_cast<std::int64_t>(kHeaderBytes) + name_bytes;
    return matrix;
}

void decode_matlab4(const Matlab4Matrix& matrix, std::span<const std::byte> file, const std::string& name,
                    std::int32_t missing, std::span<std::int32_t> out) {
    const auto needed = matrix.data_offset + static_cast<std::int64_t>(out.size()) * matrix.element_bytes();
    if (static_cast<std::int64_t>(file.size()) < needed)
        throw InputError(fmt::format("{}: truncated: found {} bytes, expected {}", name, file.size(), needed));
    const std::byte* data = file.data() + matrix.data_offset;
    switch (matrix.precision) {
        case 0:
            return decode_as<double>(matrix, data, name, missing, out);
        case 1:
            return decode_as<float>(matrix, data, name, missing, out);
        case 2:
            return decode_as<std::int32_t>(matrix, data, name, missing, out);
        case 3:
            return decode_as<std::int16_t>(matrix, data, name, missing, out);
        case 4:
            return decode_as<std::uint16_t>(matrix, data, name, missing, out);
        default:
            return decode_as<std::uint8_t>(matrix, data, name, missing, out);
    }
}

}  // namespace leadsweep

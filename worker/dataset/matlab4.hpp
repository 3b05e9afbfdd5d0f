// Matrices of MATLAB level 4 files, the `.mat` of the PhysioNet Challenges (MathWorks, "MAT-File Format", chapter 2).
// Reads the first full real numeric matrix of any element type and byte order. Level 5 is matlab5.hpp's; level 7.3
// (HDF5) is refused by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace leadsweep {

/// The 20-byte header. Elements lie column by column from `data_offset` on.
struct Matlab4Matrix {
    int precision = 0;  ///< P of type MOPT: 0 double, 1 single, 2 int32, 3 int16, 4 uint16, 5 uint8
    bool is_big_endian = false;
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t data_offset = 0;

    std::int64_t element_bytes() const;
    /// int16 in this machine's byte order: the same bytes as WFDB format 16.
    bool is_plain_int16() const { return precision == 3 && !is_big_endian; }
};

/// Reads and checks the header: `file` starts at the file's first byte. Throws InputError naming `name` and what was
/// found (level 7.3, text, sparse, complex, truncated).
Matlab4Matrix parse_matlab4(std::span<const std::byte> file, const std::string& name);

/// All elements in the file's order as whole numbers, NaN as `missing`. Throws InputError where an element is no whole
/// number of 32 bits.
void decode_matlab4(const Matlab4Matrix& matrix, std::span<const std::byte> file, const std::string& name,
                    std::int32_t missing, std::span<std::int32_t> out);

}  // namespace leadsweep

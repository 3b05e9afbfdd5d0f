// Matrices of MATLAB level 5 files, compressed or not, through libmatio. Level 4 (matlab4.hpp) is what the Challenges
// publish; level 5 is what MATLAB and SciPy save by default.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace leadsweep {

/// Whether a file that starts so says that it is of level 5.
bool is_matlab5(std::span<const std::byte> file);

struct Matlab5Matrix {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::vector<std::int32_t> values;  ///< column by column, as in level 4
};

/// Reads the matrix `val`, else the first full real numeric matrix of two dimensions. NaN becomes `missing`. `file`:
/// the same file's bytes, by which its variables are checked before matio sees them. Throws InputError naming the file
/// and what was found: no such matrix, a structure, cell or object, complex or sparse, elements that are no whole
/// numbers, a truncated file, one that matio cannot read.
Matlab5Matrix read_matlab5(const std::filesystem::path& path, std::span<const std::byte> file, std::int32_t missing);

}  // namespace leadsweep

// How the samples of one row of a pack lie in its file: float32, or 16 bits with a scale for each lead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace leadsweep {

enum class PackType { kFloat32, kFloat16, kInt16 };

/// float32, float16 or int16. Throws InputError.
PackType pack_type_from(const std::string& name);

/// Bytes of a row [L, T], a multiple of 4: float32 values; or L float32 scales, then L * T 16-bit values.
std::size_t row_bytes(PackType type, std::int64_t leads, std::int64_t samples);

/// Encodes values [L, T] into row_bytes() bytes. 16-bit types divide each lead by its largest amplitude (int16: over
/// 32767): int16 errs by at most 1/65534 of it, float16 by at most 1/2048 of each value, or 2^-25 of that amplitude.
/// Values must be finite.
void encode_row(PackType type, std::span<const float> values, std::int64_t leads, std::span<std::byte> out);
/// The way back; `row` must lie at a multiple of 4 bytes.
void decode_row(PackType type, std::span<const std::byte> row, std::int64_t leads, std::span<float> out);

}  // namespace leadsweep

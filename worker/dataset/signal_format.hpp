// The binary formats of WFDB signal files (signal(5)): 16, 24, 32, 61, 80 and 212. Bytes in, numbers out; headers and
// files are wfdb_record.hpp's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace leadsweep {

/// For messages.
inline constexpr std::string_view kKnownFormats = "16, 24, 32, 61, 80 and 212";

/// Whether decode_samples() takes this format.
bool is_known_format(int format);

/// Whole samples in so many bytes of a known format. 212 packs two samples into three bytes, a last one alone into two.
std::int64_t samples_in(int format, std::int64_t bytes);

/// The value that marks a missing sample: the smallest one of the format, as wfdb has it.
std::int32_t missing_sample(int format);

/// Decodes out.size() samples in the file's order. `in` must hold that many (samples_in); the format must be known.
void decode_samples(int format, std::span<const std::byte> in, std::span<std::int32_t> out);

}  // namespace leadsweep

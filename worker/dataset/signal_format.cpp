#include "worker/dataset/signal_format.hpp"

#include <limits>
#include <stdexcept>

namespace leadsweep {
namespace {

std::uint32_t byte_at(std::span<const std::byte> in, std::size_t index) {
    return std::to_integer<std::uint32_t>(in[index]);
}

/// The lowest `bits` of a word as a two's complement number.
template <unsigned bits>
std::int32_t signed_of(std::uint32_t word) {
    return static_cast<std::int32_t>(word << (32U - bits)) >> (32U - bits);
}

/// Calls read(first byte of the sample) for each sample of `width` bytes.
template <std::size_t width, class Read>
void decode_each(std::span<const std::byte> in, std::span<std::int32_t> out, Read&& read) {
    if (in.size() < out.size() * width) throw std::invalid_argument("decode_samples: too few bytes");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = read(in.subspan(i * width, width));
}

/// Two samples of 12 bits in three bytes: low byte of the first, both high nibbles (the first's is the lower), low byte
/// of the second.
void decode_212(std::span<const std::byte> in, std::span<std::int32_t> out) {
    if (samples_in(212, static_cast<std::int64_t>(in.size())) < static_cast<std::int64_t>(out.size()))
        throw std::invalid_argument("decode_samples: too few bytes");
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t group = i / 2 * 3;
        const std::uint32_t nibbles = byte_at(in, group + 1);
        out[i] = i % 2 == 0 ? signed_of<12>(byte_at(in, group) | (nibbles & 0x0FU) << 8U)
                            : signed_of<12>(byte_at(in, group + 2) | (nibbles & 0xF0U) << 4U);
    }
}

}  // namespace

bool is_known_format(int format) {
    return format == 16 || format == 24 || format == 32 || format == 61 || format == 80 || format == 212;
}

std::int64_t samples_in(int format, std::int64_t bytes) {
    switch (format) {
        case 16:
        case 61:
            return bytes / 2;
        case 24:
            return bytes / 3;
        case 32:
            return bytes / 4;
        case 80:
            return bytes;
        case 212:
            return bytes / 3 * 2 + (bytes % 3 == 2 ? 1 : 0);
        default:
            throw std::invalid_argument("samples_in: unknown format");
    }
}

std::int32_t missing_sample(int format) {
    switch (format) {
        case 24:
            return -(1 << 23);
        case 32:
            return std::numeric_limits<std::int32_t>::min();
        case 80:
            return -(1 << 7);
        case 212:
            return -(1 << 11);
        default:
            return -(1 << 15);
    }
}

void decode_samples(int format, std::span<const std::byte> in, std::span<std::int32_t> out) {
    using Bytes = std::span<const std::byte>;
    switch (format) {
        case 16:
            return decode_each<2>(in, out, [](Bytes b) { return signed_of<16>(byte_at(b, 0) | byte_at(b, 1) << 8U); });
        case 61:
            return decode_each<2>(in, out, [](Bytes b) { return signed_of<16>(byte_at(b, 1) | byte_at(b, 0) << 8U); });
        case 24:
            return decode_each<3>(in, out, [](Bytes b) {
                return signed_of<24>(byte_at(b, 0) | byte_at(b, 1) << 8U | byte_at(b, 2) << 16U);
            });
        case 32:
            return decode_each<4>(in, out, [](Bytes b) {
                return signed_of<32>(byte_at(b, 0) | byte_at(b, 1) << 8U | byte_at(b, 2) << 16U | byte_at(b, 3) << 24U);
            });
        case 80:
            return decode_each<1>(in, out, [](Bytes b) { return static_cast<std::int32_t>(byte_at(b, 0)) - 128; });
        case 212:
            return decode_212(in, out);
        default:
            throw std::invalid_argument("decode_samples: unknown format");
    }
}

}  // namespace leadsweep

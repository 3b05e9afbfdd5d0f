#include "worker/dataset/pack_samples.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr float kLargestInt16 = 32767;

/// IEEE 754 half precision of |value| <= 1, to nearest even. Multiplying by 2^-112 moves the exponent to where the
/// half's lies, and rounds what becomes subnormal.
std::uint16_t half_from(float value) {
    const std::uint32_t sign = std::bit_cast<std::uint32_t>(value) >> 16U & 0x8000U;
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(std::abs(value) * 0x1p-112F);
    return static_cast<std::uint16_t>(sign | (bits + 0x0FFFU + (bits >> 13U & 1U)) >> 13U);
}

float float_from(std::uint16_t half) {
    const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7FFFU) << 13U;
    const float value = std::bit_cast<float>(magnitude) * 0x1p112F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | static_cast<std::uint32_t>(half & 0x8000U)
                                                                          << 16U);
}

float largest_amplitude(std::span<const float> values) {
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::abs(value));
    return largest;
}

}  // namespace

PackType pack_type_from(const std::string& name) {
    if (name == "float32") return PackType::kFloat32;
    if (name == "float16") return PackType::kFloat16;
    if (name == "int16") return PackType::kInt16;
    throw InputError(fmt::format("data.pack_type: found '{}', expected float32, float16 or int16", name));
}

std::size_t row_bytes(PackType type, std::int64_t leads, std::int64_t samples) {
    const auto values = static_cast<std::size_t>(leads * samples);
    if (type == PackType::kFloat32) return values * sizeof(float);
    return static_cast<std::size_t>(leads) * sizeof(float) + (values * sizeof(std::uint16_t) + 3) / 4 * 4;
}

void encode_row(PackType type, std::span<const float> values, std::int64_t leads, std::span<std::byte> out) {
    if (type == PackType::kFloat32) {
        std::memcpy(out.data(), values.data(), values.size_bytes());
        return;
    }
    const std::size_t samples = values.size() / static_cast<std::size_t>(leads);
    std::byte* to = out.data() + static_cast<std::size_t>(leads) * sizeof(float);
    std::fill(out.begin(), out.end(), std::byte{0});
    for (std::size_t lead = 0; lead < static_cast<std::size_t>(leads); ++lead) {
        const auto row = values.subspan(lead * samples, samples);
        const float largest = largest_amplitude(row);
        const float scale = type == PackType::kInt16 ? largest / kLargestInt16 : largest;
        std::memcpy(out.data() + lead * sizeof(float), &scale, sizeof scale);
        for (const float value : row) {
            const float scaled = scale > 0 ? value / scale : 0;
            const auto stored = type == PackType::kInt16
                                    ? static_cast<std::uint16_t>(static_cast<std::int16_t>(std::lrint(scaled)))
                                    : half_from(scaled);
            std::memcpy(to, &stored, sizeof stored);
            to += sizeof stored;
        }
    }
}

void decode_row(PackType type, std::span<const std::byte> row, std::int64_t leads, std::span<float> out) {
    if (type == PackType::kFloat32) {
        std::memcpy(out.data(), row.data(), out.size_bytes());
        return;
    }
    const std::size_t samples = out.size() / static_cast<std::size_t>(leads);
    // The file is mapped at a page and rows are multiples of 4 bytes, so both types are aligned.
    const auto* scales = reinterpret_cast<const float*>(row.data());
    const auto* words = reinterpret_cast<const std::uint16_t*>(scales + leads);
    for (std::size_t lead = 0; lead < static_cast<std::size_t>(leads); ++lead) {
        const float scale = scales[lead];
        const std::uint16_t* from = words + lead * samples;
        float* to = out.data() + lead * samples;
        if (type == PackType::kInt16)
            for (std::size_t t = 0; t < samples; ++t)
                to[t] = static_cast<float>(static_cast<std::int16_t>(from[t])) * scale;
        else
            for (std::size_t t = 0; t < samples; ++t) to[t] = float_from(from[t]) * scale;
    }
}

}  // namespace leadsweep

#include "shared/core/exact_sum.hpp"

#include <bit>
#include <cmath>
#include <limits>

namespace leadsweep {
namespace {

constexpr std::uint64_t kLow32 = 0xffffffffU;

}  // namespace

void ExactSum::add(double term) {
    if (!std::isfinite(term)) {
        has_nan_ = has_nan_ || std::isnan(term);
        has_positive_infinity_ = has_positive_infinity_ || term > 0;
        has_negative_infinity_ = has_negative_infinity_ || term < 0;
        return;
    }
    if (term == 0) return;
    if (++pending_ >= kMostPending) carry();
    int exponent = 0;
    const double fraction = std::frexp(std::abs(term), &exponent);  // in [0.5, 1)
    const auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
    const int place = exponent - 53 - kLowestBit;  // bits between the accumulator's lowest and the mantissa's lowest
    const auto limb = static_cast<std::size_t>(place / 32);
    const int shift = place % 32;
    const std::uint64_t low = (mantissa & kLow32) << shift;
    const std::uint64_t high = (mantissa >> 32U) << shift;
    const std::uint64_t middle = (low >> 32U) + (high & kLow32);
    const std::int64_t sign = term < 0 ? -1 : 1;
    limbs_[limb] += sign * static_cast<std::int64_t>(low & kLow32);
    limbs_[limb + 1] += sign * static_cast<std::int64_t>(middle & kLow32);
    limbs_[limb + 2] += sign * static_cast<std::int64_t>((high >> 32U) + (middle >> 32U));
}

void ExactSum::add_product(double a, double b) {
    const double product = a * b;
    add(product);
    if (std::isfinite(product)) add(std::fma(a, b, -product));
}

void ExactSum::merge(const ExactSum& other) {
    ExactSum carried = other;
    carried.carry();
    carry();
    for (std::size_t i = 0; i < limbs_.size(); ++i) limbs_[i] += carried.limbs_[i];
    pending_ = 1;
    has_nan_ = has_nan_ || other.has_nan_;
    has_positive_infinity_ = has_positive_infinity_ || other.has_positive_infinity_;
    has_negative_infinity_ = has_negative_infinity_ || other.has_negative_infinity_;
}

/// Brings every limb but the highest into [0, 2^32); the highest carries the sign. This form of a sum is unique.
void ExactSum::carry() {
    for (std::size_t i = 0; i + 1 < limbs_.size(); ++i) {
        const std::int64_t up = limbs_[i] >> 32;  // arithmetic shift: rounds down
        limbs_[i] -= up * (std::int64_t{1} << 32);
        limbs_[i + 1] += up;
    }
    pending_ = 0;
}

double ExactSum::value() const {
    if (has_nan_ || (has_positive_infinity_ && has_negative_infinity_)) return std::numeric_limits<double>::quiet_NaN();
    if (has_positive_infinity_) return std::numeric_limits<double>::infinity();
    if (has_negative_infinity_) return -std::numeric_limits<double>::infinity();
    ExactSum magnitude = *this;
    magnitude.carry();
    const bool is_negative = magnitude.limbs_.back() < 0;
    if (is_negative) {
        for (auto& limb : magnitude.limbs_) limb = -limb;
        magnitude.carry();
    }
    int top = kLimbs - 1;
    while (top >= 0 && magnitude.limbs_[static_cast<std::size_t>(top)] == 0) --top;
    if (top < 0) return 0;
    // The 64 bits from the highest one on; whether anything lies below them decides ties.
    const auto digit = [&](int i) {
        return i < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(magnitude.limbs_[static_cast<std::size_t>(i)]);
    };
    const int zeros = std::countl_zero(static_cast<std::uint32_t>(digit(top)));
    std::uint64_t leading = (digit(top) << 32U) | digit(top - 1);
    if (zeros > 0) leading = (leading << zeros) | (digit(top - 2) >> (32 - zeros));
    bool has_rest = zeros > 0 ? ((digit(top - 2) << zeros) & kLow32) != 0 : digit(top - 2) != 0;
    for (int i = top - 3; i >= 0 && !has_rest; --i) has_rest = digit(i) != 0;
    if (has_rest) leading |= 1U;
    const double rounded = std::ldexp(static_cast<double>(leading), kLowestBit + 32 * (top - 1) - zeros);
    return is_negative ? -rounded : rounded;
}

double ExactSum::rest() const {
    const double rounded = value();
    if (!std::isfinite(rounded)) return 0;
    ExactSum left = *this;
    left.add(-rounded);
    return left.value();
}

}  // namespace leadsweep

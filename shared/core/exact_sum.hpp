// Sums of doubles without any rounding, so that the order and the grouping of the terms cannot change a bit of the
// result.
#pragma once

#include <array>
#include <cstdint>

namespace leadsweep {

/// A fixed-point number as wide as the range of double (Kulisch's long accumulator): 2^-1152 to beyond 2^1024 and 2^62
/// terms. Infinities and NaN behave as in an ordinary sum of all terms.
class ExactSum {
public:
    void add(double term);
    /// Adds a * b. Exact as long as the product's low half does not fall below the range of double; in every case a
    /// function of a and b alone.
    void add_product(double a, double b);
    void merge(const ExactSum& other);
    /// The sum, correctly rounded to nearest, ties to even.
    double value() const;
    /// What rounding took away from value(), rounded itself: value() + rest() hold about 106 bits of the sum.
    double rest() const;

private:
    static constexpr int kLimbs = 72;         ///< digits to the base 2^32
    static constexpr int kLowestBit = -1152;  ///< exponent of the lowest limb's lowest bit
    static constexpr std::int64_t kMostPending = std::int64_t{1} << 29;

    void carry();

    std::array<std::int64_t, kLimbs> limbs_{};
    std::int64_t pending_ = 0;  ///< terms added since the last carry: each adds less than 2^32 to a limb
    bool has_nan_ = false;
    bool has_positive_infinity_ = false;
    bool has_negative_infinity_ = false;
};

}  // namespace leadsweep

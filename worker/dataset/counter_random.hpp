// Random numbers that depend on (seed, stream) and on how many were drawn, and on nothing else: the same on every
// machine and compiler, unlike the distributions of <random>. For data and its order; not for secrets.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>

namespace leadsweep {

/// One step of SplitMix64 (Steele, Lea, Flood 2014): advances the state and returns 64 random bits.
inline std::uint64_t split_mix64(std::uint64_t& state) {
    state += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
}

/// A stream of random numbers; streams of one seed are independent of each other.
class CounterRandom {
public:
    CounterRandom(std::uint64_t seed, std::uint64_t stream) {
        std::uint64_t from_seed = seed;
        std::uint64_t from_stream = stream ^ 0xD1B54A32D192ED03ULL;
        state_ = split_mix64(from_seed) ^ split_mix64(from_stream);
    }

    std::uint64_t next() { return split_mix64(state_); }

    /// Uniform in [0, 1), 53 bits.
    double uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
    double uniform(double from, double to) { return from + (to - from) * uniform(); }
    bool is_drawn(double probability) { return uniform() < probability; }

    /// Uniform in 0 ... bound - 1 without bias (values of the incomplete last interval are drawn again). bound > 0.
    std::uint64_t below(std::uint64_t bound) {
        const std::uint64_t rejected = (0 - bound) % bound;
        std::uint64_t bits = next();
        while (bits < rejected) bits = next();
        return bits % bound;
    }

    /// Standard normal (Box and Muller 1958).
    double normal() {
        if (spare_) {
            const double value = *spare_;
            spare_.reset();
            return value;
        }
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        const double angle = 2.0 * std::numbers::pi * uniform();
        spare_ = radius * std::sin(angle);
        return radius * std::cos(angle);
    }

private:
    std::uint64_t state_ = 0;
    std::optional<double> spare_;
};

}  // namespace leadsweep

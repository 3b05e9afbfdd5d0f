#include "worker/model/max_pool_rows.hpp"

#include <limits>
#include <vector>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define LEADSWEEP_FOR_EACH_VECTOR_UNIT __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LEADSWEEP_FOR_EACH_VECTOR_UNIT
#endif

namespace leadsweep {
namespace {

/// The larger one; a NaN wins.
template <class Number>
inline Number larger(Number a, Number b) {
    return b > a || b != b ? b : a;
}

/// Rows of a record, with rows of one value before its first and after its last.
template <class Number>
struct Rows {
    const Number* first;
    std::int64_t samples;
    std::int64_t channels;
    std::vector<Number> outside;

    const Number* at(std::int64_t t) const { return t < 0 || t >= samples ? outside.data() : first + t * channels; }
};

template <class Number>
Rows<Number> rows_of(const Number* first, std::int64_t samples, std::int64_t channels, Number outside) {
    return {first, samples, channels, std::vector<Number>(static_cast<std::size_t>(channels), outside)};
}

template <class Number>
inline void pool_row(const Number* before, const Number* here, const Number* after, Number* out, std::int64_t n) {
    for (std::int64_t c = 0; c < n; ++c) out[c] = larger(larger(before[c], here[c]), after[c]);
}

/// x[0] to x[4] and g[0] to g[2] are the rows t - 2 to t + 2 of the input and t - 1 to t + 1 of the slopes.
template <class Number>
inline void gradient_row(const Number* const x[5], const Number* const g[3], Number* out, std::int64_t n) {
    const Number *a = x[0], *b = x[1], *here = x[2], *d = x[3], *e = x[4];
    const Number *left = g[0], *middle = g[1], *right = g[2];
    for (std::int64_t c = 0; c < n; ++c) {
        const Number v = here[c];
        const Number from_left = v > a[c] && v > b[c] ? left[c] : Number(0);
        const Number from_middle = v > b[c] && v >= d[c] ? middle[c] : Number(0);
        const Number from_right = v >= d[c] && v >= e[c] ? right[c] : Number(0);
        out[c] = from_left + from_middle + from_right;
    }
}

LEADSWEEP_FOR_EACH_VECTOR_UNIT
void pool_row_float(const float* before, const float* here, const float* after, float* out, std::int64_t n) {
    pool_row(before, here, after, out, n);
}
LEADSWEEP_FOR_EACH_VECTOR_UNIT
void gradient_row_float(const float* const x[5], const float* const g[3], float* out, std::int64_t n) {
    gradient_row(x, g, out, n);
}

template <class Number, class Row>
void pool_rows(const Number* in, std::int64_t samples, std::int64_t channels, Number* out, Row&& row) {
    const auto rows = rows_of(in, samples, channels, -std::numeric_limits<Number>::infinity());
    for (std::int64_t t = 0; t < samples; ++t)
        row(rows.at(t - 1), rows.at(t), rows.at(t + 1), out + t * channels, channels);
}

template <class Number, class Row>
void gradient_rows(const Number* in, const Number* slopes, std::int64_t samples, std::int64_t channels, Number* out,
                   Row&& row) {
    const auto x = rows_of(in, samples, channels, -std::numeric_limits<Number>::infinity());
    const auto g = rows_of(slopes, samples, channels, Number(0));
    for (std::int64_t t = 0; t < samples; ++t) {
        const Number* const inputs[5] = {x.at(t - 2), x.at(t - 1), x.at(t), x.at(t + 1), x.at(t + 2)};
        const Number* const windows[3] = {g.at(t - 1), g.at(t), g.at(t + 1)};
        row(inputs, windows, out + t * channels, channels);
    }
}

}  // namespace

void max_pool_rows(const float* in, std::int64_t samples, std::int64_t channels, float* out) {
    pool_rows(in, samples, channels, out, pool_row_float);
}
void max_pool_rows(const double* in, std::int64_t samples, std::int64_t channels, double* out) {
    pool_rows(in, samples, channels, out, pool_row<double>);
}
void max_pool_gradient_rows(const float* in, const float* slopes, std::int64_t samples, std::int64_t channels,
                            float* out) {
    gradient_rows(in, slopes, samples, channels, out, gradient_row_float);
}
void max_pool_gradient_rows(const double* in, const double* slopes, std::int64_t samples, std::int64_t channels,
                            double* out) {
    gradient_rows(in, slopes, samples, channels, out, gradient_row<double>);
}

}  // namespace leadsweep

// The loops of max_pool.hpp over one record of `samples` rows of `channels` numbers. No torch: they are compiled for
// several kinds of vector unit, of which the machine's best is chosen when the program starts.
#pragma once

#include <cstdint>

namespace leadsweep {

/// out[t, c]: the largest of in[t - 1, c], in[t, c] and in[t + 1, c]; a NaN is the largest.
void max_pool_rows(const float* in, std::int64_t samples, std::int64_t channels, float* out);
void max_pool_rows(const double* in, std::int64_t samples, std::int64_t channels, double* out);

/// Its gradient: each out[t, c] is the sum of the slopes of those windows whose first largest sample is in[t, c].
void max_pool_gradient_rows(const float* in, const float* slopes, std::int64_t samples, std::int64_t channels,
                            float* out);
void max_pool_gradient_rows(const double* in, const double* slopes, std::int64_t samples, std::int64_t channels,
                            double* out);

}  // namespace leadsweep

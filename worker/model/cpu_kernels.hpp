// Inner loops of cpu_layers.cpp over one record's rows: T samples of C channels each, row-major. Plain arithmetic that
// the compiler turns into vector instructions of the CPU at hand; nothing of LibTorch, no threads.
#pragma once

#include <cstdint>

namespace leadsweep::kernels {

struct Extent {
    std::int64_t samples;   ///< T
    std::int64_t channels;  ///< C
};

/// sums[c] += x[t][c], in blocks of rows: float within a block, double across.
void add_sums(const float* x, Extent extent, double* sums);
/// sums[c] += (x[t][c] - mean[c])^2
void add_squares(const float* x, const float* mean, Extent extent, double* sums);

/// What BatchNorm does to one channel: y = x * scale + shift.
struct Affine {
    const float* scale;  ///< [C]
    const float* shift;  ///< [C]
};

/// y = max(0, x * scale + shift)
void affine_relu(const float* x, Affine affine, Extent extent, float* y);

/// With g = dy where affine_relu's output is positive, else 0: gradient_sums[c] += g, product_sums[c] += g * (x -
/// mean[c]).
void add_gradient_sums(const float* x, const float* dy, Affine affine, const float* mean, Extent extent,
                       double* gradient_sums, double* product_sums);

/// dx = scale * g + slope * (x - mean) + offset, the gradient of BatchNorm's input.
struct InputGradient {
    const float* mean;    ///< [C]
    const float* slope;   ///< [C]
    const float* offset;  ///< [C]
};
void input_gradient(const float* x, const float* dy, Affine affine, InputGradient terms, Extent extent, float* dx);

/// y[t] = max(x[t - 1], x[t], x[t + 1]); the ends have one neighbour.
void max_of_three(const float* x, Extent extent, float* y);
/// Gradient of max_of_three: each dy goes to the first of the largest.
void max_of_three_gradient(const float* x, const float* dy, Extent extent, float* dx);

}  // namespace leadsweep::kernels

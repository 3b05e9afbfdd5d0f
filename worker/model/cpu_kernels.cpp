#include "worker/model/cpu_kernels.hpp"

#include <algorithm>
#include <limits>
#include <vector>

// One version for every x86-64 and one for those with AVX2 and FMA, chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define LEADSWEEP_VECTORISED __attribute__((target_clones("arch=haswell", "default")))
#else
#define LEADSWEEP_VECTORISED
#endif

namespace leadsweep::kernels {
namespace {

/// Rows that are added in float before the sum goes to double.
constexpr std::int64_t kBlock = 32;

}  // namespace

LEADSWEEP_VECTORISED
void add_sums(const float* x, Extent extent, double* sums) {
    const std::int64_t channels = extent.channels;
    std::vector<float> buffer(static_cast<std::size_t>(channels));
    float* block = buffer.data();
    for (std::int64_t first = 0; first < extent.samples; first += kBlock) {
        const std::int64_t end = std::min(extent.samples, first + kBlock);
        std::fill(buffer.begin(), buffer.end(), 0.0F);
        for (std::int64_t t = first; t < end; ++t) {
            const float* row = x + t * channels;
            for (std::int64_t c = 0; c < channels; ++c) block[c] += row[c];
        }
        for (std::int64_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(block[c]);
    }
}

LEADSWEEP_VECTORISED
void add_squares(const float* x, const float* mean, Extent extent, double* sums) {
    const std::int64_t channels = extent.channels;
    std::vector<float> buffer(static_cast<std::size_t>(channels));
    float* block = buffer.data();
    for (std::int64_t first = 0; first < extent.samples; first += kBlock) {
        const std::int64_t end = std::min(extent.samples, first + kBlock);
        std::fill(buffer.begin(), buffer.end(), 0.0F);
        for (std::int64_t t = first; t < end; ++t) {
            const float* row = x + t * channels;
            for (std::int64_t c = 0; c < channels; ++c) {
                const float deviation = row[c] - mean[c];
                block[c] += deviation * deviation;
            }
        }
        for (std::int64_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(block[c]);
    }
}

LEADSWEEP_VECTORISED
void affine_relu(const float* __restrict x, Affine affine, Extent extent, float* __restrict y) {
    const std::int64_t channels = extent.channels;
    for (std::int64_t t = 0; t < extent.samples; ++t)
        for (std::int64_t c = 0; c < channels; ++c) {
            const float value = x[t * channels + c] * affine.scale[c] + affine.shift[c];
            y[t * channels + c] = value < 0.0F ? 0.0F : value;  // keeps NaN, so that divergence shows
        }
}

LEADSWEEP_VECTORISED
void add_gradient_sums(const float* x, const float* dy, Affine affine, const float* mean, Extent extent,
                       double* gradient_sums, double* product_sums) {
    const std::int64_t channels = extent.channels;
    std::vector<float> buffer(static_cast<std::size_t>(2 * channels));
    float* __restrict gradients = buffer.data();
    float* __restrict products = gradients + channels;
    for (std::int64_t first = 0; first < extent.samples; first += kBlock) {
        const std::int64_t end = std::min(extent.samples, first + kBlock);
        std::fill(buffer.begin(), buffer.end(), 0.0F);
        for (std::int64_t t = first; t < end; ++t) {
            const float* row = x + t * channels;
            const float* upstream = dy + t * channels;
            for (std::int64_t c = 0; c < channels; ++c) {
                const float g = row[c] * affine.scale[c] + affine.shift[c] > 0.0F ? upstream[c] : 0.0F;
                gradients[c] += g;
                products[c] += g * (row[c] - mean[c]);
            }
        }
        for (std::int64_t c = 0; c < channels; ++c) {
            gradient_sums[c] += static_cast<double>(gradients[c]);
            product_sums[c] += static_cast<double>(products[c]);
        }
    }
}

LEADSWEEP_VECTORISED
void input_gradient(const float* __restrict x, const float* __restrict dy, Affine affine, InputGradient terms,
                    Extent extent, float* __restrict dx) {
    const std::int64_t channels = extent.channels;
    for (std::int64_t t = 0; t < extent.samples; ++t) {
        const float* row = x + t * channels;
        const float* upstream = dy + t * channels;
        float* out = dx + t * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
            const float g = row[c] * affine.scale[c] + affine.shift[c] > 0.0F ? upstream[c] : 0.0F;
            out[c] = affine.scale[c] * g + terms.slope[c] * (row[c] - terms.mean[c]) + terms.offset[c];
        }
    }
}

LEADSWEEP_VECTORISED
void max_of_three(const float* __restrict x, Extent extent, float* __restrict y) {
    const std::int64_t channels = extent.channels;
    for (std::int64_t t = 0; t < extent.samples; ++t) {
        // At the ends the sample itself stands in for the neighbour that is not there.
        const float* here = x + t * channels;
        const float* before = t > 0 ? here - channels : here;
        const float* after = t + 1 < extent.samples ? here + channels : here;
        float* out = y + t * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
            const float larger = before[c] < here[c] ? here[c] : before[c];
            out[c] = larger < after[c] ? after[c] : larger;
        }
    }
}

LEADSWEEP_VECTORISED
void max_of_three_gradient(const float* __restrict x, const float* __restrict dy, Extent extent, float* __restrict dx) {
    const std::int64_t channels = extent.channels;
    const std::vector<float> lowest(static_cast<std::size_t>(channels), -std::numeric_limits<float>::infinity());
    const std::vector<float> nothing(static_cast<std::size_t>(channels), 0.0F);
    const auto row = [&](std::int64_t t) { return t >= 0 && t < extent.samples ? x + t * channels : lowest.data(); };
    const auto upstream = [&](std::int64_t t) {
        return t >= 0 && t < extent.samples ? dy + t * channels : nothing.data();
    };
    for (std::int64_t t = 0; t < extent.samples; ++t) {
        const float *x2 = row(t - 2), *x1 = row(t - 1), *here = row(t), *y1 = row(t + 1), *y2 = row(t + 2);
        const float *g0 = upstream(t - 1), *g1 = upstream(t), *g2 = upstream(t + 1);
        float* out = dx + t * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
            const float from_before = (here[c] > x1[c]) & (here[c] > x2[c]) ? g0[c] : 0.0F;
            const float from_here = (here[c] > x1[c]) & (here[c] >= y1[c]) ? g1[c] : 0.0F;
            const float from_after = (here[c] >= y1[c]) & (here[c] >= y2[c]) ? g2[c] : 0.0F;
            out[c] = from_before + from_here + from_after;
        }
    }
}

}  // namespace leadsweep::kernels

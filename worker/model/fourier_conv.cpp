// Overlap-save (Stockham 1966; for networks Mathieu, Henaff and LeCun 2014): rows are cut into segments that overlap by the
// longest kernel, transformed, mixed over channels frequency by frequency, and transformed back. Segments have some hundred
// samples and all channels lie beside each other: a transform is one matrix product with all channels at once, which is
// faster than an FFT of each. Everything here is linear, so the backward pass is the same steps, transposed, in reverse.
#include "worker/model/fourier_conv.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <numbers>
#include <utility>
#include <vector>

namespace leadsweep {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// How rows of T samples are cut.
struct Segments {
    std::int64_t samples;  ///< T
    std::int64_t window;   ///< samples that go into one output: the longest kernel
    std::int64_t count;
    std::int64_t hop;      ///< outputs of a segment
    std::int64_t length;   ///< samples of a segment, even

    std::int64_t before() const { return (window - 1) / 2; }  ///< zeros before the first sample
    std::int64_t padded() const { return (count - 1) * hop + length; }
    /// Multiplications of a record going forward.
    double products(std::int64_t in, std::int64_t out) const {
        return static_cast<double>(count * length * (length * in + 2 * in * out + hop * out));
    }
};

/// The cut that needs the fewest multiplications.
Segments best_segments(std::int64_t samples, std::int64_t window, std::int64_t in, std::int64_t out) {
    Segments best{};
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t count = 1; count <= std::max<std::int64_t>(1, 2 * samples / window); ++count) {
        const std::int64_t hop = (samples + count - 1) / count;
        const std::int64_t length = (hop + window) / 2 * 2;
        const Segments segments{samples, window, count, hop, length};
        if (segments.products(in, out) < least) {
            least = segments.products(in, out);
            best = segments;
        }
    }
    return best;
}

/// The discrete Fourier transform of N real samples (N even) as matrices [N, N]. Its rows: the constant, the fastest
/// frequency, then real and imaginary part of each frequency between; so that row pairs hold one frequency each, but
/// the first, which holds two that are real.
struct FourierMatrices {
    Tensor forward;  ///< times samples: spectrum
    Tensor inverse;  ///< times spectrum: samples
};

FourierMatrices make_matrices(std::int64_t length, torch::ScalarType type) {
    const auto time = torch::arange(length, torch::kFloat64);
    std::vector<Tensor> rows{torch::ones_like(time), torch::cos(std::numbers::pi * time)};
    for (std::int64_t frequency = 1; frequency < length / 2; ++frequency) {
        const auto phase = torch::remainder(time * frequency, length) * (2 * std::numbers::pi / static_cast<double>(length));
        rows.push_back(torch::cos(phase));
        rows.push_back(-torch::sin(phase));
    }
    const auto forward = torch::stack(rows);
    auto scale = torch::full({length, 1}, 2.0 / static_cast<double>(length), torch::kFloat64);
    scale.narrow(0, 0, 2).fill_(1.0 / static_cast<double>(length));
    return {forward.to(type), (forward * scale).t().contiguous().to(type)};
}

FourierMatrices matrices(std::int64_t length, torch::ScalarType type) {
    static std::mutex mutex;
    static std::map<std::pair<std::int64_t, torch::ScalarType>, FourierMatrices> made;
    const std::lock_guard lock(mutex);
    auto& found = made[{length, type}];
    if (!found.forward.defined()) found = make_matrices(length, type);
    return found;
}

/// One matrix times each of [n, rows, channels].
Tensor times_each(const Tensor& matrix, const Tensor& all) {
    return torch::bmm(matrix.expand({all.size(0), matrix.size(0), matrix.size(1)}), all);
}

/// Spectra [n, N, C] as [N / 2, n, 2C]: for each frequency the real parts of all channels, then the imaginary ones.
Tensor by_frequency(const Tensor& spectra) {
    return spectra.view({spectra.size(0), spectra.size(1) / 2, 2 * spectra.size(2)}).transpose(0, 1);
}

/// by_frequency(spectra) times a matrix for each frequency, [N / 2, 2C, 2D]: spectra [n, N, D].
Tensor mix_channels(const Tensor& spectra, const Tensor& mixing) {
    auto mixed = torch::empty({spectra.size(0), spectra.size(1), mixing.size(2) / 2}, spectra.options());
    auto view = by_frequency(mixed);
    torch::bmm_out(view, by_frequency(spectra), mixing);
    return mixed;
}

/// The spectrum [N, in, out] of the kernels, conjugated, as matrices [N / 2, 2 in, 2 out] on real and imaginary parts.
Tensor mixing_of(const Tensor& spectrum) {
    const std::int64_t in = spectrum.size(1), out = spectrum.size(2);
    const auto parts = spectrum.view({-1, 2, in, out});
    const auto real = parts.select(1, 0), imaginary = parts.select(1, 1);
    auto mixing = torch::empty({parts.size(0), 2, in, 2, out}, spectrum.options());
    mixing.select(1, 0).select(2, 0).copy_(real);
    mixing.select(1, 1).select(2, 0).copy_(imaginary);
    mixing.select(1, 0).select(2, 1).copy_(-imaginary);
    mixing.select(1, 1).select(2, 1).copy_(real);
    auto first = mixing.select(0, 0);  // two frequencies that are real
    first.zero_();
    first.select(0, 0).select(1, 0).copy_(real[0]);
    first.select(0, 1).select(1, 1).copy_(imaginary[0]);
    return mixing.view({parts.size(0), 2 * in, 2 * out});
}

/// The transpose of mixing_of.
Tensor spectrum_of(const Tensor& mixing) {
    const std::int64_t in = mixing.size(1) / 2, out = mixing.size(2) / 2;
    const auto parts = mixing.view({-1, 2, in, 2, out});
    const auto part = [&](std::int64_t from, std::int64_t to) { return parts.select(1, from).select(2, to); };
    auto real = part(0, 0) + part(1, 1);
    auto imaginary = part(1, 0) - part(0, 1);
    real[0].copy_(part(0, 0)[0]);
    imaginary[0].copy_(part(1, 1)[0]);
    return torch::stack({real, imaginary}, 1).view({-1, in, out});
}

/// Overlapping segments [B * count, length, C] of rows [B, T, C] with zeros around.
Tensor cut(const Tensor& rows, const Segments& s) {
    const std::int64_t channels = rows.size(2);
    const auto padded = torch::constant_pad_nd(rows, {0, 0, s.before(), s.padded() - s.before() - s.samples});
    return padded
        .as_strided({rows.size(0), s.count, s.length, channels},
                    {s.padded() * channels, s.hop * channels, channels, 1})
        .reshape({rows.size(0) * s.count, s.length, channels});
}

/// The transpose of cut.
Tensor overlap_add(const Tensor& segments, const Segments& s) {
    const std::int64_t channels = segments.size(2);
    const auto by_record = segments.view({segments.size(0) / s.count, s.count, s.length, channels});
    auto padded = torch::zeros({by_record.size(0), s.padded(), channels}, segments.options());
    for (std::int64_t i = 0; i < s.count; ++i) padded.narrow(1, i * s.hop, s.length).add_(by_record.select(1, i));
    return padded.narrow(1, s.before(), s.samples).contiguous();
}

/// mixing_of the kernels [window, in, out].
Tensor mixing_of_kernels(const Tensor& kernels, const Segments& s) {
    const auto transform = matrices(s.length, kernels.scalar_type()).forward.narrow(1, 0, s.window);
    return mixing_of(torch::mm(transform, kernels.reshape({s.window, -1})).view({s.length, kernels.size(1), kernels.size(2)}));
}

/// Rows [B, T, in] and kernels [window, in, out] to rows [B, T, out].
class FourierConv : public Function<FourierConv> {
public:
    static Tensor forward(AutogradContext* context, const Tensor& rows, const Tensor& kernels) {
        const auto s = segments_of(rows.size(1), kernels);
        const auto fourier = matrices(s.length, rows.scalar_type());
        const auto spectra = times_each(fourier.forward, cut(rows, s));
        const auto mixing = mixing_of_kernels(kernels, s);
        const auto outputs = times_each(fourier.inverse.narrow(0, 0, s.hop), mix_channels(spectra, mixing));
        context->save_for_backward({spectra, mixing, kernels});
        return outputs.view({rows.size(0), s.count * s.hop, kernels.size(2)}).narrow(1, 0, s.samples).contiguous();
    }

    static variable_list backward(AutogradContext* context, variable_list output_gradients) {
        const auto saved = context->get_saved_variables();
        const auto &spectra = saved[0], &mixing = saved[1], &kernels = saved[2];
        const auto& gradient = output_gradients[0];
        const auto s = segments_of(gradient.size(1), kernels);
        const auto fourier = matrices(s.length, gradient.scalar_type());
        const auto slopes = torch::constant_pad_nd(gradient, {0, 0, 0, s.count * s.hop - s.samples})
                                .reshape({gradient.size(0) * s.count, s.hop, gradient.size(2)});
        const auto slope_spectra = times_each(fourier.inverse.narrow(0, 0, s.hop).t(), slopes);
        Tensor row_gradient;
        if (context->needs_input_grad(0))
            row_gradient = overlap_add(
                times_each(fourier.forward.t(), mix_channels(slope_spectra, mixing.transpose(1, 2))), s);
        const auto mixing_gradient = torch::bmm(by_frequency(spectra).transpose(1, 2), by_frequency(slope_spectra));
        const auto kernel_gradient = torch::mm(fourier.forward.narrow(1, 0, s.window).t(),
                                               spectrum_of(mixing_gradient).view({s.length, -1}));
        return {row_gradient, kernel_gradient.view(kernels.sizes())};
    }

private:
    static Segments segments_of(std::int64_t samples, const Tensor& kernels) {
        return best_segments(samples, kernels.size(0), kernels.size(1), kernels.size(2));
    }
};

Tensor rows_of(const Tensor& image) {
    return image.squeeze(2).transpose(1, 2);
}

std::int64_t longest(std::span<const Tensor> weights) {
    std::int64_t kernel = 0;
    for (const auto& weight : weights) kernel = std::max(kernel, weight.size(3));
    return kernel;
}

/// All kernels as one, [longest, in, sum of out_i]: each in the middle of zeros.
Tensor joined_kernels(std::span<const Tensor> weights) {
    const std::int64_t window = longest(weights);
    std::vector<Tensor> kernels;
    for (const auto& weight : weights) {
        const std::int64_t kernel = weight.size(3);
        const std::int64_t before = (window - 1) / 2 - (kernel - 1) / 2;
        kernels.push_back(torch::constant_pad_nd(weight.squeeze(2).permute({2, 1, 0}),
                                                 {0, 0, 0, 0, before, window - kernel - before}));
    }
    return torch::cat(kernels, 2);
}

}  // namespace

bool is_fourier_faster(const Tensor& input, std::span<const Tensor> weights) {
    constexpr double kClearly = 1.5;  // matrix products of many small matrices are slower than a convolution's
    const std::int64_t in = input.size(1);
    std::int64_t out = 0, taps = 0;
    for (const auto& weight : weights) {
        out += weight.size(0);
        taps += weight.size(0) * weight.size(3);
    }
    const auto segments = best_segments(input.size(3), longest(weights), in, out);
    return static_cast<double>(input.size(3) * in * taps) > kClearly * segments.products(in, out);
}

Tensor fourier_convs(const Tensor& input, std::span<const Tensor> weights) {
    return FourierConv::apply(rows_of(input).contiguous(), joined_kernels(weights)).transpose(1, 2).unsqueeze(2);
}

FourierKernels::FourierKernels(std::span<const Tensor> weights, std::span<const Tensor> biases, std::int64_t samples)
    : samples_(samples), window_(longest(weights)), bias_(torch::cat(std::vector<Tensor>(biases.begin(), biases.end()))) {
    const auto kernels = joined_kernels(weights);
    mixing_ = mixing_of_kernels(kernels, best_segments(samples, window_, kernels.size(1), kernels.size(2)));
}

void FourierKernels::convolve_relu_into(const Tensor& input, const Tensor& output) const {
    const auto rows = rows_of(input).contiguous();
    const auto s = best_segments(samples_, window_, rows.size(2), out());
    const auto fourier = matrices(s.length, rows.scalar_type());
    auto mixed = mix_channels(times_each(fourier.forward, cut(rows, s)), mixing_);
    mixed.select(1, 0).add_(bias_, static_cast<double>(s.length));  // a constant has the frequency 0 alone
    const auto outputs = times_each(fourier.inverse.narrow(0, 0, s.hop), mixed);
    auto target = rows_of(output);
    at::clamp_min_out(target, outputs.view({rows.size(0), s.count * s.hop, out()}).narrow(1, 0, samples_), 0);
}

}  // namespace leadsweep

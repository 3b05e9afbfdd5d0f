#include "worker/dataset/band_pass.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <stdexcept>
#include <vector>

namespace leadsweep {
namespace {

using Complex = std::complex<double>;

/// The bilinear transform at sampling rate 2, as scipy.signal designs digital filters.
constexpr double kTwiceRate = 4;

double warped(double corner_hz, double sampling_hz) {
    return kTwiceRate * std::tan(std::numbers::pi * corner_hz / sampling_hz);
}

}  // namespace

BandPass::BandPass(double low_hz, double high_hz, double sampling_hz) {
    if (!(low_hz > 0 && low_hz < high_hz && 2 * high_hz < sampling_hz))
        throw std::invalid_argument("band-pass: corners must be 0 < low < high < half the sampling rate");
    const double low = warped(low_hz, sampling_hz);
    const double high = warped(high_hz, sampling_hz);
    const double width = high - low;
    // Every pole of the low-pass prototype in the upper half plane becomes two of the band-pass; their conjugates
    // complete the sections. Four zeros lie at z = 1, four at z = -1.
    Complex gain = std::pow(width * kTwiceRate, kSections);
    std::size_t section = 0;
    for (std::size_t k = 0; k < kSections / 2; ++k) {
        const double angle = std::numbers::pi * static_cast<double>(2 * k + 1) / (2.0 * kSections);
        const Complex prototype = Complex(-std::cos(angle), std::sin(angle)) * (width / 2);
        const Complex root = std::sqrt(prototype * prototype - low * high);
        for (const Complex analog : {prototype + root, prototype - root}) {
            const Complex pole = (kTwiceRate + analog) / (kTwiceRate - analog);
            gain /= std::norm(kTwiceRate - analog);
            sections_[section++] = {1, -2 * pole.real(), std::norm(pole)};
        }
    }
    sections_[0].gain = gain.real();
}

void BandPass::run(std::span<double> samples) const {
    // Each section starts in the steady state of a constant input; the first one blocks constants, so that the others
    // start at rest.
    double constant = samples.front();
    for (const Section& s : sections_) {
        double z1 = -s.gain * constant;
        double z0 = z1;
        for (double& value : samples) {
            const double out = s.gain * value + z0;
            z0 = z1 - s.a1 * out;
            z1 = -s.gain * value - s.a2 * out;
            value = out;
        }
        constant = 0;
    }
}

void BandPass::apply(std::span<double> samples) const {
    if (samples.empty()) return;
    constexpr std::size_t kMostExtended = 27;
    const std::size_t extended = std::min(kMostExtended, samples.size() - 1);
    std::vector<double> whole;
    whole.reserve(samples.size() + 2 * extended);
    for (std::size_t i = extended; i > 0; --i) whole.push_back(2 * samples.front() - samples[i]);
    whole.insert(whole.end(), samples.begin(), samples.end());
    for (std::size_t i = 1; i <= extended; ++i) whole.push_back(2 * samples.back() - samples[samples.size() - 1 - i]);
    run(whole);
    std::reverse(whole.begin(), whole.end());
    run(whole);
    std::reverse(whole.begin(), whole.end());
    std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(extended), samples.size(), samples.begin());
}

}  // namespace leadsweep

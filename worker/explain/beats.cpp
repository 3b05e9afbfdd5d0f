#include "worker/explain/beats.hpp"

#include <algorithm>
#include <cmath>

namespace leadsweep {
namespace {

constexpr double kQrsWindow_s = 0.097;   ///< Elgendi's W1: the width of a QRS complex
constexpr double kBeatWindow_s = 0.611;  ///< Elgendi's W2: about one beat
constexpr double kOffset = 0.08;         ///< Elgendi's beta: share of the mean energy a block must rise above
constexpr double kRefractory_s = 0.25;
constexpr double kOwnShare = 0.65;  ///< of the way to the next R peak
constexpr double kPiece_s = 0.05;
constexpr double kPiecesBegin_s = -0.25;  ///< from the R peak

/// Centred moving average over `width` samples, shorter at the ends.
std::vector<double> moving_average(const std::vector<double>& x, std::int64_t width) {
    const auto n = static_cast<std::int64_t>(x.size());
    std::vector<double> sums(x.size() + 1, 0);
    for (std::size_t i = 0; i < x.size(); ++i) sums[i + 1] = sums[i] + x[i];
    std::vector<double> averages(x.size());
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t begin = std::max<std::int64_t>(0, i - width / 2);
        const std::int64_t end = std::min(n, i + (width - width / 2));
        averages[static_cast<std::size_t>(i)] =
            (sums[static_cast<std::size_t>(end)] - sums[static_cast<std::size_t>(begin)]) /
            static_cast<double>(end - begin);
    }
    return averages;
}

std::int64_t samples_in(double seconds, double sampling_hz) {
    return std::max<std::int64_t>(1, std::llround(seconds * sampling_hz));
}

/// Energy between about 8 and 20 Hz, the mean over leads of each lead's share of its own mean energy.
std::vector<double> beat_energy(std::span<const float> signal, std::int64_t leads, double sampling_hz) {
    const std::size_t samples = signal.size() / static_cast<std::size_t>(leads);
    std::vector<double> energy(samples, 0);
    for (std::int64_t lead = 0; lead < leads; ++lead) {
        const auto of_lead = signal.subspan(static_cast<std::size_t>(lead) * samples, samples);
        const std::vector<double> raw(of_lead.begin(), of_lead.end());
        // The -3 dB point of an average of width w is 0.44 / w.
        const auto smooth = moving_average(raw, samples_in(0.44 / 20, sampling_hz));
        const auto slow = moving_average(raw, samples_in(0.44 / 8, sampling_hz));
        double total = 0;
        std::vector<double> squared(samples);
        for (std::size_t t = 0; t < samples; ++t) total += squared[t] = (smooth[t] - slow[t]) * (smooth[t] - slow[t]);
        if (total <= 0) continue;
        for (std::size_t t = 0; t < samples; ++t) energy[t] += squared[t] / total;
    }
    return energy;
}

}  // namespace

std::vector<std::int64_t> find_r_peaks(std::span<const float> signal, std::int64_t leads, double sampling_hz) {
    const auto energy = beat_energy(signal, leads, sampling_hz);
    double mean = 0;
    for (const double value : energy) mean += value / static_cast<double>(energy.size());
    if (mean <= 0) return {};
    const auto of_qrs = moving_average(energy, samples_in(kQrsWindow_s, sampling_hz));
    const auto of_beat = moving_average(energy, samples_in(kBeatWindow_s, sampling_hz));
    std::vector<std::int64_t> peaks;
    const auto is_block = [&](std::size_t t) { return of_qrs[t] > of_beat[t] + kOffset * mean; };
    for (std::size_t t = 0; t < energy.size();) {
        if (!is_block(t)) {
            ++t;
            continue;
        }
        const std::size_t begin = t;
        while (t < energy.size() && is_block(t)) ++t;
        if (static_cast<double>(t - begin) < 0.8 * kQrsWindow_s * sampling_hz) continue;
        const auto top = static_cast<std::size_t>(std::max_element(of_qrs.begin() + static_cast<std::ptrdiff_t>(begin),
                                                                   of_qrs.begin() + static_cast<std::ptrdiff_t>(t)) -
                                                  of_qrs.begin());
        const bool is_close = !peaks.empty() && static_cast<double>(static_cast<std::int64_t>(top) - peaks.back()) <
                                                    kRefractory_s * sampling_hz;
        if (!is_close)
            peaks.push_back(static_cast<std::int64_t>(top));
        else if (of_qrs[top] > of_qrs[static_cast<std::size_t>(peaks.back())])
            peaks.back() = static_cast<std::int64_t>(top);
    }
    return peaks;
}

std::vector<BeatSpan> beat_spans(std::span<const std::int64_t> r_peaks, std::int64_t samples) {
    std::vector<BeatSpan> spans;
    for (const std::int64_t r : r_peaks) {
        std::int64_t begin = 0;
        if (!spans.empty()) {
            begin = spans.back().r + std::llround(kOwnShare * static_cast<double>(r - spans.back().r));
            spans.back().end = begin;
        }
        spans.push_back({r, begin, samples});
    }
    return spans;
}

std::vector<std::int64_t> beat_pieces(std::span<const std::int64_t> r_peaks, std::int64_t samples, double sampling_hz) {
    constexpr std::int64_t kRest = kBeatPieces - 1;
    std::vector<std::int64_t> pieces(static_cast<std::size_t>(samples), kRest);
    for (const BeatSpan& span : beat_spans(r_peaks, samples))
        for (std::int64_t t = span.begin; t < span.end; ++t) {
            const double from_r_s = static_cast<double>(t - span.r) / sampling_hz;
            // Half a microsecond: a boundary that falls on a sample is the same at every rate.
            const auto piece = static_cast<std::int64_t>(std::floor((from_r_s - kPiecesBegin_s + 5e-7) / kPiece_s));
            if (piece >= 0 && piece < kRest) pieces[static_cast<std::size_t>(t)] = piece;
        }
    return pieces;
}

std::vector<std::int64_t> beat_parts(std::span<const std::int64_t> r_peaks, std::int64_t samples, double sampling_hz) {
    enum : std::int64_t { kP, kQrs, kStT, kRest };
    std::vector<std::int64_t> parts(static_cast<std::size_t>(samples), kRest);
    const auto paint = [&](double from, double to, std::int64_t part) {
        const auto begin = std::clamp<std::int64_t>(std::llround(from), 0, samples);
        const auto end = std::clamp<std::int64_t>(std::llround(to), begin, samples);
        std::fill(parts.begin() + begin, parts.begin() + end, part);
    };
    for (const std::int64_t r : r_peaks) {
        const auto at = static_cast<double>(r);
        paint(at - 0.25 * sampling_hz, at - 0.06 * sampling_hz, kP);
    }
    for (std::size_t i = 0; i < r_peaks.size(); ++i) {
        const auto at = static_cast<double>(r_peaks[i]);
        double end = at + 0.4 * sampling_hz;
        if (i + 1 < r_peaks.size())
            end = std::min(end, at + kOwnShare * static_cast<double>(r_peaks[i + 1] - r_peaks[i]));
        paint(at + 0.06 * sampling_hz, end, kStT);
    }
    for (const std::int64_t r : r_peaks) {
        const auto at = static_cast<double>(r);
        paint(at - 0.06 * sampling_hz, at + 0.06 * sampling_hz, kQrs);
    }
    return parts;
}

}  // namespace leadsweep

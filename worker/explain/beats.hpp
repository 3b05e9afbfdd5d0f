// Where the beats of a record are, and which part of a beat each sample belongs to: segments that mean the same in
// every record, so that maps can be averaged over beats.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace leadsweep {

/// Segments of explain.align: beats: P, QRS, ST-T, rest.
inline constexpr std::int64_t kBeatParts = 4;

/// R peaks of one record [L, T] as sample numbers, ascending: two moving averages (Elgendi 2013) over the energy of
/// all leads between 8 and 20 Hz, each lead scaled to equal energy. Constant leads do not count. Empty where there is
/// nothing that looks like a beat.
std::vector<std::int64_t> find_r_peaks(std::span<const float> signal, std::int64_t leads, double sampling_hz);

/// The stretch of a record that belongs to one beat: nearest R peak, where 65 % of the way to the next one are its own.
struct BeatSpan {
    std::int64_t r = 0;
    std::int64_t begin = 0;  ///< first sample
    std::int64_t end = 0;    ///< one behind the last
};

/// A span for each R peak; together they are the record.
std::vector<BeatSpan> beat_spans(std::span<const std::int64_t> r_peaks, std::int64_t samples);

/// The part of the beat for each of T samples. Around an R peak: QRS from -60 to +60 ms, P from -250 to -60 ms, ST-T
/// from +60 ms to +400 ms but not beyond 65 % of the way to the next peak; where parts of neighbours meet, QRS goes
/// before ST-T, and ST-T before P. All else is `rest`.
std::vector<std::int64_t> beat_parts(std::span<const std::int64_t> r_peaks, std::int64_t samples, double sampling_hz);

/// Segments of explain.align: beat_time. Pieces of 50 ms from 250 ms before to 450 ms after the R peak, then the rest.
inline constexpr std::int64_t kBeatPieces = 15;

/// The piece for each of T samples; where neighbours meet, a sample belongs to the beat of its span.
std::vector<std::int64_t> beat_pieces(std::span<const std::int64_t> r_peaks, std::int64_t samples, double sampling_hz);

}  // namespace leadsweep

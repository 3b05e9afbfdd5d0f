// A Butterworth band-pass run forwards and backwards, as scipy.signal.sosfiltfilt computes it: no phase shift, twice
// the attenuation in dB. Knows nothing of records.
#pragma once

#include <array>
#include <span>

namespace leadsweep {

class BandPass {
public:
    /// Corners in Hz, 0 < low < high < sampling_hz / 2; the filter is scipy.signal.butter(4, [low, high], "bandpass").
    /// Throws std::invalid_argument.
    BandPass(double low_hz, double high_hz, double sampling_hz);

    /// Filters in place. The ends are extended by point reflection, by 27 samples or as many as there are.
    void apply(std::span<double> samples) const;

private:
    static constexpr std::size_t kSections = 4;
    /// gain (1 - z^-2) / (1 + a1 z^-1 + a2 z^-2); the gain is 1 in all but the first.
    struct Section {
        double gain = 1;
        double a1 = 0;
        double a2 = 0;
    };
    void run(std::span<double> samples) const;

    std::array<Section, kSections> sections_;
};

}  // namespace leadsweep

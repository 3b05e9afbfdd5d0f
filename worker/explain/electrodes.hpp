// The nine electrodes behind the twelve leads. Where one electrode is masked, every lead that hangs on it changes with
// it: III = II - I and the augmented leads stay true, which masking dependent leads one by one would break.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace leadsweep {

/// RA, LA, LL, V1 ... V6, in this order: their potentials against the Wilson terminal (RA + LA + LL) / 3.
std::vector<std::string> electrode_names();

/// Linear maps between leads and electrodes, row-major.
struct ElectrodeMaps {
    std::vector<std::string> electrodes;  ///< RA, LA, LL and the chest leads there are
    std::vector<float>
        from_leads;               ///< [L, E]: RA = -(I + II) / 3, LA = (2 I - II) / 3, LL = (2 II - I) / 3, V as it is
    std::vector<float> to_leads;  ///< [E, L]: the leads against the terminal of the potentials as they are now
};

/// For the leads of a network. Throws JobError(kInvalid) where I or II is not among them.
ElectrodeMaps electrode_maps(const std::vector<std::string>& leads);

/// rms(II - I - III) / sd(III) of one record [L, T]; nothing where I, II or III is not among `leads`. Above
/// kMostInconsistency the leads do not come from one set of electrodes any more: they were filtered, scaled or
/// standardised one by one, and there are no potentials to go back to.
std::optional<double> lead_inconsistency(std::span<const float> signal, const std::vector<std::string>& leads);
inline constexpr double kMostInconsistency = 0.05;

}  // namespace leadsweep

#include "worker/explain/electrodes.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kLimbElectrodes = 3;

/// Weights of RA, LA and LL in each limb lead.
constexpr std::array<std::array<float, kLimbElectrodes>, 6> kLimbLeads = {{{-1, 1, 0},           // I = LA - RA
                                                                           {-1, 0, 1},           // II = LL - RA
                                                                           {0, -1, 1},           // III = LL - LA
                                                                           {1, -0.5F, -0.5F},    // aVR
                                                                           {-0.5F, 1, -0.5F},    // aVL
                                                                           {-0.5F, -0.5F, 1}}};  // aVF

std::optional<std::size_t> place_of(const std::vector<std::string>& leads, std::string_view name) {
    const auto at = std::find(leads.begin(), leads.end(), name);
    if (at == leads.end()) return std::nullopt;
    return static_cast<std::size_t>(at - leads.begin());
}

}  // namespace

std::vector<std::string> electrode_names() {
    std::vector<std::string> names{"RA", "LA", "LL"};
    names.insert(names.end(), kLeadNames.begin() + 6, kLeadNames.end());
    return names;
}

ElectrodeMaps electrode_maps(const std::vector<std::string>& leads) {
    const auto one = place_of(leads, "I");
    const auto two = place_of(leads, "II");
    if (!one || !two)
        throw JobError(FailureClass::kInvalid,
                       fmt::format("explain.space: electrodes needs leads I and II, from which the potentials of the "
                                   "limbs follow; data.leads are {}",
                                   fmt::join(leads, ", ")));
    ElectrodeMaps maps;
    maps.electrodes = {"RA", "LA", "LL"};
    for (std::size_t chest = 6; chest < kLeadCount; ++chest)
        if (place_of(leads, kLeadNames[chest])) maps.electrodes.emplace_back(kLeadNames[chest]);
    const std::size_t count = maps.electrodes.size();
    maps.from_leads.assign(leads.size() * count, 0);
    maps.to_leads.assign(count * leads.size(), 0);
    constexpr float kThird = 1.0F / 3;
    const std::array<float, kLimbElectrodes> of_one = {-kThird, 2 * kThird, -kThird};
    const std::array<float, kLimbElectrodes> of_two = {-kThird, -kThird, 2 * kThird};
    for (std::size_t limb = 0; limb < kLimbElectrodes; ++limb) {
        maps.from_leads[*one * count + limb] = of_one[limb];
        maps.from_leads[*two * count + limb] = of_two[limb];
    }
    for (std::size_t lead = 0; lead < leads.size(); ++lead) {
        const std::size_t standard = *find_lead(leads[lead]);
        for (std::size_t limb = 0; limb < kLimbElectrodes; ++limb)
            maps.to_leads[limb * leads.size() + lead] = standard < 6 ? kLimbLeads[standard][limb] : -kThird;
        if (standard < 6) continue;
        const std::size_t electrode = *place_of(maps.electrodes, leads[lead]);
        maps.from_leads[lead * count + electrode] = 1;
        maps.to_leads[electrode * leads.size() + lead] = 1;
    }
    return maps;
}

std::optional<double> lead_inconsistency(std::span<const float> signal, const std::vector<std::string>& leads) {
    const auto one = place_of(leads, "I");
    const auto two = place_of(leads, "II");
    const auto three = place_of(leads, "III");
    if (!one || !two || !three) return std::nullopt;
    const std::size_t samples = signal.size() / leads.size();
    double mean = 0;
    double residual = 0;
    for (std::size_t t = 0; t < samples; ++t) {
        const double iii = signal[*three * samples + t];
        const double error = static_cast<double>(signal[*two * samples + t]) - signal[*one * samples + t] - iii;
        mean += iii;
        residual += error * error;
    }
    mean /= static_cast<double>(samples);
    double variance = 0;
    for (std::size_t t = 0; t < samples; ++t) {
        const double deviation = signal[*three * samples + t] - mean;
        variance += deviation * deviation;
    }
    if (residual == 0) return 0;
    return std::sqrt(residual / variance);
}

}  // namespace leadsweep

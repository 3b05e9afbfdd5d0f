// The twelve standard leads and how their names are recognised.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leadsweep {

inline constexpr std::size_t kLeadCount = 12;

/// I, II, III, aVR, aVL, aVF, V1 ... V6: the order of the PhysioNet Challenge and of every array here.
inline constexpr std::array<std::string_view, kLeadCount> kLeadNames = {"I",  "II", "III", "aVR", "aVL", "aVF",
                                                                        "V1", "V2", "V3",  "V4",  "V5",  "V6"};

std::vector<std::string> standard_lead_names();

/// Index into kLeadNames of a name in any case ("AVR", "avr"), also with the prefix some databases use
/// ("MDC_ECG_LEAD_I", "lead V1"). Nothing if it is none of the twelve.
std::optional<std::size_t> find_lead(std::string_view name);

}  // namespace leadsweep

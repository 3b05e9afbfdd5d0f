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
/// ("MDC_ECG_LEAD_I", "lead V1", "ECG II"). Nothing if it is none of the twelve.
std::optional<std::size_t> find_lead(std::string_view name);

/// A lead that follows from I and II: first * I + second * II (Einthoven, Goldberger).
struct LeadFormula {
    double first;
    double second;
};
/// III, aVR, aVL and aVF; nothing for the other leads.
std::optional<LeadFormula> formula_of(std::size_t lead);

/// Whether a record with the leads `present` can give all of `wanted`: by name, or, where `derives_limb_leads`, by
/// formula_of() from I and II. A wanted name that is no lead is never given.
bool gives_leads(const std::vector<std::string>& present, const std::vector<std::string>& wanted,
                 bool derives_limb_leads);

}  // namespace leadsweep

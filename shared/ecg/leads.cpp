#include "shared/ecg/leads.hpp"

#include <algorithm>

#include "shared/core/text.hpp"

namespace leadsweep {

std::vector<std::string> standard_lead_names() {
    return {kLeadNames.begin(), kLeadNames.end()};
}

std::optional<std::size_t> find_lead(std::string_view name) {
    std::string wanted = to_lower(trim(name));
    for (const std::string_view prefix : {"mdc_ecg_lead_", "lead ", "lead_", "ecg ", "ecg_"})
        if (wanted.starts_with(prefix)) wanted.erase(0, prefix.size());
    for (std::size_t i = 0; i < kLeadCount; ++i)
        if (to_lower(kLeadNames[i]) == wanted) return i;
    return std::nullopt;
}

std::optional<LeadFormula> formula_of(std::size_t lead) {
    switch (lead) {
        case 2:
            return LeadFormula{-1, 1};
        case 3:
            return LeadFormula{-0.5, -0.5};
        case 4:
            return LeadFormula{1, -0.5};
        case 5:
            return LeadFormula{-0.5, 1};
        default:
            return std::nullopt;
    }
}

bool gives_leads(const std::vector<std::string>& present, const std::vector<std::string>& wanted,
                 bool derives_limb_leads) {
    std::array<bool, kLeadCount> is_there{};
    for (const auto& name : present)
        if (const auto lead = find_lead(name)) is_there[*lead] = true;
    const bool is_derivable = derives_limb_leads && is_there[0] && is_there[1];
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
        const auto lead = find_lead(name);
        return lead && (is_there[*lead] || (is_derivable && formula_of(*lead)));
    });
}

}  // namespace leadsweep

#include "shared/ecg/leads.hpp"

#include "shared/core/text.hpp"

namespace leadsweep {

std::vector<std::string> standard_lead_names() {
    return {kLeadNames.begin(), kLeadNames.end()};
}

std::optional<std::size_t> find_lead(std::string_view name) {
    std::string wanted = to_lower(trim(name));
    for (const std::string_view prefix : {"mdc_ecg_lead_", "lead "})
        if (wanted.starts_with(prefix)) wanted.erase(0, prefix.size());
    for (std::size_t i = 0; i < kLeadCount; ++i)
        if (to_lower(kLeadNames[i]) == wanted) return i;
    return std::nullopt;
}

}  // namespace leadsweep

#include "worker/one_record.hpp"

#include <fmt/format.h>

namespace leadsweep {

std::string words_of(const PrepareNotes& notes) {
    std::string words;
    const auto add = [&](bool is_so, const std::string& text) {
        if (is_so) words += (words.empty() ? "" : ", ") + text;
    };
    add(notes.padded_samples > 0, fmt::format("{} samples a lead padded with zeros", notes.padded_samples));
    add(notes.missing_samples > 0, fmt::format("{} missing samples interpolated", notes.missing_samples));
    add(notes.constant_leads > 0, fmt::format("{} constant leads", notes.constant_leads));
    add(notes.is_unitless, "no physical unit, read as mV");
    return words;
}

}  // namespace leadsweep

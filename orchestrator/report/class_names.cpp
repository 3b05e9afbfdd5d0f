#include "orchestrator/report/class_names.hpp"

namespace leadsweep {

ClassNames::ClassNames(const ReadStore& store) {
    for (const auto& row : store.ask("SELECT code, abbreviation FROM classes").rows)
        abbreviations_.emplace(as_text(row[0]), as_text(row[1]));
}

const std::string& ClassNames::of(const std::string& code) const {
    const auto known = abbreviations_.find(code);
    return known == abbreviations_.end() ? code : known->second;
}

}  // namespace leadsweep

// Abbreviations of the classes that a database knows.
#pragma once

#include <map>
#include <string>

#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

class ClassNames {
public:
    explicit ClassNames(const ReadStore& store);

    /// The abbreviation; the code itself where there is none.
    const std::string& of(const std::string& code) const;
    /// By code.
    const std::map<std::string, std::string>& all() const { return abbreviations_; }

private:
    std::map<std::string, std::string> abbreviations_;
};

}  // namespace leadsweep

// What lies in a folder of records, for people: sources, rates, leads, labels, duplicates, and everything that is odd.
// From the catalogue alone.
#pragma once

#include <string>

#include "shared/ecg/catalogue.hpp"

namespace leadsweep {

/// The text of `leadsweep data`. `most_listed`: of single records (unreadable, flat, saturated, twice there), so many
/// of each kind are named; the others are counted.
std::string render_inventory(const Catalogue& catalogue, std::size_t most_listed);

}  // namespace leadsweep

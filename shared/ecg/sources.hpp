// Which database a record comes from, as far as its path tells.
#pragma once

#include <string>
#include <string_view>

#include "shared/ecg/catalogue.hpp"

namespace leadsweep {

/// The database of a record named as the Challenge 2021 names them: A0001 cpsc_2018, Q0001 cpsc_2018_extra, I0001
/// st_petersburg_incart, S0001 ptb, HR00001 ptb-xl, E00001 georgia, JS00001 ... JS10646 chapman_shaoxing, later JS
/// ningbo. "" for any other name.
std::string challenge_source(std::string_view record_name);

/// Sets `source` of all records: the first folder of the path in which records differ, parts of one database (g1, g2,
/// ..., records100) left out; else the Challenge's name; else the folder that all share. To be called with all records
/// of a catalogue, before a table overrides it.
void name_sources(Catalogue& catalogue);

}  // namespace leadsweep

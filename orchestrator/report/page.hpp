// The report: one page in one file, without any other: summary in words, tables, figures, maps, failures, provenance.
#pragma once

#include <string>

#include "orchestrator/report/selection.hpp"

namespace leadsweep {

struct PageRequest {
    JobFilter filter = {};
    std::string work_folder;  ///< where predictions lie
    bool is_live = false;     ///< for `serve`: with the panel of what runs
};

/// HTML of the whole page; the same database gives the same bytes. Predictions that are missing are named on the page;
/// the rest of it is there. Throws InputError where there is no such sweep.
std::string report_page(const ReadStore& store, const PageRequest& request);

}  // namespace leadsweep

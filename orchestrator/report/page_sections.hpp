// The parts of the report that need no script: words and tables. Inside report/ only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/comparison.hpp"
#include "orchestrator/report/page.hpp"
#include "orchestrator/report/page_figures.hpp"
#include "orchestrator/report/significance.hpp"

namespace leadsweep {

struct PageData {
    const ReadStore& store;
    std::string work_folder;
    Selection selection;
    Layout layout;  ///< one row a configuration
    std::vector<Group> groups;
    std::vector<std::string> metrics;   ///< those the results have
    std::vector<std::size_t> by_merit;  ///< cells, the best mean of the first metric first, those without last
    std::string digest;
};

/// Throws as select_jobs().
PageData load_page(const ReadStore& store, const PageRequest& request);

/// The best kMostGroupsDrawn configurations with results.
std::vector<PageGroup> groups_to_draw(const PageData& page);

std::string summary_html(const PageData& page);
std::string comparison_html(const PageData& page);
std::string class_html(const PageData& page);
std::string failures_html(const PageData& page);
std::string cost_html(const PageData& page);
std::string provenance_html(const PageData& page);

}  // namespace leadsweep

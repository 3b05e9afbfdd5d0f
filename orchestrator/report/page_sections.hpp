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

/// What the sections share, all of one state of the database.
struct PageData {
    /// Throws as select_jobs().
    PageData(const ReadStore& store, const PageRequest& request);

    const ReadStore& store;
    ReadStore::Hold one_state;
    std::string work_folder;
    Selection selection;
    Figures figures;
    Layout layout;  ///< one row a configuration
    std::vector<Group> groups;
    std::vector<std::string> metrics;  ///< those the results have
    bool has_silent_accuracy = false;  ///< whether they have accuracy_all_negative
    std::string digest;
    std::vector<std::size_t> by_merit;  ///< cells, the best mean of the first metric first, those without last
};

/// The best kMostGroupsDrawn configurations with results.
std::vector<PageGroup> groups_to_draw(const PageData& page);

std::string summary_html(const PageData& page);
std::string comparison_html(const PageData& page);
std::string class_html(const PageData& page);
std::string failures_html(const PageData& page);
std::string cost_html(const PageData& page);
std::string provenance_html(const PageData& page);

}  // namespace leadsweep

// The lead-importance map: which leads speak for which class. 12 leads x the classes that were explained.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/selection.hpp"
#include "orchestrator/report/table.hpp"

namespace leadsweep {

struct MapRequest {
    JobFilter filter = {};
    std::vector<std::string> classes = {};  ///< codes or abbreviations; empty: all
};

struct MapClass {
    std::string code;
    std::string abbreviation;
    std::int64_t n = 0;                   ///< explained records, over all jobs
    std::optional<double> r2;             ///< mean over these records of the local models' weighted R2
    std::optional<std::size_t> top_lead;  ///< index of the lead with the largest importance
    /// One for each lead: mean over the records of the sum over segments of the signed coefficient on the logit.
    std::vector<std::optional<double>> importance;
};

struct LeadMap {
    std::string caption;
    std::vector<std::string> leads;  ///< the standard twelve
    std::vector<MapClass> classes;   ///< n > 0, the most explained first
    std::vector<std::string> notes;
};

/// Pools the finished jobs of the selection, each weighted by its explained records. Throws InputError where none has
/// an explanation, or a class is unknown.
LeadMap lead_map(const ReadStore& store, const MapRequest& request);

/// Classes as rows, leads as columns, then n, R2 and the top lead.
Table as_table(const LeadMap& map);
/// render() of as_table(); text for a terminal coloured from blue (speaks against) over white to orange (speaks for) if
/// `is_coloured`.
std::string render(const LeadMap& map, TableFormat format, bool is_coloured);

/// Whether output to this descriptor should be coloured: a terminal, and NO_COLOR unset (no-color.org).
bool wants_colour(int descriptor);

}  // namespace leadsweep

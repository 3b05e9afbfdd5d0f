// The lead-importance map: which leads (or electrodes) speak for which class, and whether that can be believed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/report/selection.hpp"
#include "orchestrator/report/table.hpp"
#include "orchestrator/statistics/map_belief.hpp"

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
    /// One for each lead: mean over the records of the sum over segments of the signed coefficient.
    std::vector<std::optional<double>> importance;
    std::int64_t n_dropped = 0;  ///< explanations that were left out
    MapBelief belief = {};       ///< over the jobs: folds, and whatever else was pooled
};

/// Tested against chance, and not told apart from it: p >= 0.05 after Holm's adjustment.
bool is_chance(const MapClass& one);

struct LeadMap {
    std::string caption;             ///< says so where a map is no better than chance
    std::vector<std::string> leads;  ///< the standard twelve, or the nine electrodes
    std::vector<MapClass> classes;   ///< n > 0, the most explained first
    std::vector<std::string> notes;
};

bool is_wanted(const MapRequest& request, std::string_view code, std::string_view abbreviation);

/// The caption of what shows the segments that the map sums over.
std::string caption_in_detail(const LeadMap& map);

/// Pools the finished jobs of the selection, each weighted by its explained records. Throws InputError where none has
/// an explanation, a class is unknown, or maps of leads and of electrodes would be mixed.
LeadMap lead_map(const ReadStore& store, const MapRequest& request);

/// Classes as rows, leads as columns, then n, R2, the top lead, and stability and p of the class's map.
Table as_table(const LeadMap& map);
/// render() of as_table(); text for a terminal coloured from blue (speaks against) over white to orange (speaks for) if
/// `is_coloured`.
std::string render(const LeadMap& map, TableFormat format, bool is_coloured);

/// The same as a picture: classes x leads, the colours of the text, with a scale, n, R2, stability and p. A complete
/// SVG document.
std::string draw_map(const LeadMap& map);

/// Digits after the point with which numbers up to `largest` are shown.
int decimals_for(double largest);
double largest_magnitude(const LeadMap& map);

/// Whether output to this descriptor should be coloured: a terminal, and NO_COLOR unset (no-color.org).
bool wants_colour(int descriptor);

}  // namespace leadsweep

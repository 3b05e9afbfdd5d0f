// One class in detail: leads (or electrodes) x segments of time or parts of the beat.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/map.hpp"

namespace leadsweep {

struct PartMap {
    std::string caption;
    std::vector<std::string> leads;  ///< R
    std::vector<std::string> parts;  ///< S: "P", "QRS", "ST-T", "rest", or "2-3 s"
    /// [R][S] mean over the explained records of the signed coefficient.
    std::vector<std::vector<std::optional<double>>> importance;
    /// [R][S] mean over the jobs, weighted by their records, of the share of records whose sign is that of the mean.
    std::vector<std::vector<std::optional<double>>> sign_agreement;
    std::int64_t n = 0;
    std::optional<double> r2;
    std::vector<std::string> notes;
};

/// What the segments of explain.align are called; `window_s` and `segments` are used where it is window. Pieces of
/// beat_time are called by their beginning, from the R peak.
std::vector<std::string> part_names(const std::string& align, double window_s, std::int64_t segments);

/// Pools the finished jobs of the selection. Throws InputError unless the request names exactly one class, of which
/// there is an explanation, and where jobs divide records differently.
PartMap part_map(const ReadStore& store, const MapRequest& request);

/// Leads as rows, parts as columns; the largest of all in bold.
Table as_table(const PartMap& map);
/// A complete SVG document, coloured as draw_map().
std::string draw_parts(const PartMap& map);

}  // namespace leadsweep

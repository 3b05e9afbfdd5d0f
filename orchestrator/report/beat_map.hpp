// Lead x time: what the explanations of one class say at each moment of its mean beat.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/map.hpp"

namespace leadsweep {

struct BeatMap {
    std::string caption;
    std::string code;
    std::string abbreviation;
    std::vector<std::string> leads;  ///< R: leads or electrodes, in their standard order
    std::vector<double> time_s;      ///< M moments, from the R peak
    std::string unit;                ///< of the signal: "uV", or "sd" of each lead
    /// [R][M] mean over the explained records of each one's mean beat, less its median; NaN where none has a beat.
    std::vector<std::vector<double>> signal;
    /// [R][M] mean over the same records of the signed coefficient of the part that lies there; NaN likewise.
    std::vector<std::vector<double>> importance;
    std::vector<std::int64_t> records;  ///< [M] with a beat there
    std::int64_t n = 0;                 ///< explained records
    std::optional<double> r2;
    std::vector<std::string> notes;
};

/// Pools the finished jobs of the selection by their records, from the files of their attempts (kind lead_importance)
/// below `work`. Throws InputError unless the request names exactly one class, of which there is an explanation, and
/// where jobs were not explained by beats (explain.align: beats or beat_time) or not alike; FileError where a file is
/// gone.
BeatMap beat_map(const ReadStore& store, const std::string& work, const MapRequest& request);

/// The same of every class of which the jobs left mean beats, by code, each file read once: leads, moments, beats and
/// records alone. Jobs that were explained by parts of the window have none.
std::vector<BeatMap> mean_beats(const ReadStore& store, const std::string& work, const Selection& selection);

/// `is_whole`: one row a lead and moment, for programs; else leads x tenths of a second, for people.
Table as_table(const BeatMap& map, bool is_whole);
/// The mean beat of each lead, coloured as draw_map() by its importance, which is also drawn as a curve below it. A
/// complete SVG document.
std::string draw_beats(const BeatMap& map);

}  // namespace leadsweep

// From a sweep file to its jobs: base, axes x zip, exclude, include, when, in this order (design.md, section 5).
// Pure: no files, no records; impossible and duplicate points are found here.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/plan/spec_table.hpp"
#include "orchestrator/plan/sweep_file.hpp"

namespace leadsweep {

struct Grid {
    SpecTable jobs;                  ///< in file order: the last axis varies fastest, then the included points
    std::vector<std::string> notes;  ///< rules that match no point, for people
};

/// All points of the sweep, each fully resolved and valid. Points that differ in resources only count as duplicates.
/// Throws InputError with all impossible and duplicate points, each with the places of the values behind it.
Grid expand(const SweepSpec& sweep);

}  // namespace leadsweep

// Do two configurations rest on different leads? The map of one less that of the other, with significance.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "orchestrator/report/map.hpp"

namespace leadsweep {

/// Importance of the jobs of `request` where also `against` holds, less that of the jobs of `request` alone; a key of
/// `against` takes the place of the same key of the request. Jobs are paired by fold and seed; cells with p < 0.05 for
/// all cells at once are marked. Throws InputError where no pair is left, or one fold and seed has several jobs.
Table map_difference_table(const ReadStore& store, const MapRequest& request,
                           const std::vector<std::pair<std::string, std::string>>& against);

}  // namespace leadsweep

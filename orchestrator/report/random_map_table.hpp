// Do trained networks agree on a class's map more than networks that learnt nothing agree with them?
#pragma once

#include <string>

#include "orchestrator/report/map.hpp"

namespace leadsweep {

/// The maps of the request beside those of the sweep `random_sweep`, whose networks have random weights (such as
/// sweeps/random_maps.yaml); the request's conditions hold for both. Throws InputError where either has no map, or
/// their leads differ.
Table random_map_table(const ReadStore& store, const MapRequest& request, const std::string& random_sweep);

}  // namespace leadsweep

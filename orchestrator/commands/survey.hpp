// Catalogues for the plan: cached below the work folder, brought up to date by a worker. This program opens no record.
#pragma once

#include <string>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/launch/spawner.hpp"
#include "orchestrator/plan/plan.hpp"

namespace leadsweep {

/// A provider that keeps its catalogues in `<work>/catalogues`. Throws InputError where the worker cannot survey.
CatalogueProvider catalogue_provider(const Places& places, Spawner& spawner);

}  // namespace leadsweep

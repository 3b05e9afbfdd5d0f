// Lead importance of several jobs (folds, seeds, configurations) together. What is shown of it is decided in map.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "orchestrator/report/selection.hpp"
#include "orchestrator/statistics/map_belief.hpp"
#include "shared/core/exact_sum.hpp"

namespace leadsweep {

/// Sums over jobs, weighted by their explained records; exact, so that no order of the jobs changes a bit.
struct Pooled {
    std::int64_t n = 0;
    std::int64_t n_dropped = 0;
    ExactSum r2_sum;
    std::int64_t r2_n = 0;
    std::map<std::string, ExactSum> weighted_sum;  ///< by lead
    std::map<std::string, std::int64_t> lead_n;
};

struct MapPool {
    std::map<std::string, Pooled> classes;
    std::vector<FoldMap> folds;            ///< of each finished job: the classes that have every lead that any job has
    std::vector<std::size_t> job_of_fold;  ///< of each entry of `folds`: index into Selection::jobs
    std::vector<std::string> leads;        ///< the standard twelve, or the nine electrodes
    bool has_other_leads = false;
    std::int64_t without_fit = 0;  ///< classes of single jobs in which every explanation was left out
};

/// All finished jobs of the selection. Throws InputError where maps of leads and of electrodes would be mixed.
MapPool pool_jobs(const ReadStore& store, const Selection& selection);

}  // namespace leadsweep

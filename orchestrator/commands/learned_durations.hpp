// What finished attempts of a database teach about the time of jobs, and the price of a plan in it.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/plan/plan.hpp"
#include "orchestrator/schedule/durations.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

/// From the latest finished attempts of the database. Throws StoreError.
DurationModel learn_durations(const ReadStore& store);
/// The same from a file; knows nothing where the file cannot be read.
DurationModel learn_durations(const std::string& db);

/// What the time of a planned job depends on.
JobFeatures features_of(const JobSpec& spec, std::int64_t n_train, const std::string& device_kind);

/// Devices on which a plan is priced.
struct PricedDevices {
    std::int64_t count = 0;
    std::string kind;  ///< "" if not known
};

/// Device-hours and the end of these jobs of the plan, for people; says where nothing is known. `now` is the time of
/// the start.
std::string render_price(const Plan& plan, const std::vector<std::size_t>& jobs, const DurationModel& model,
                         const PricedDevices& devices, std::time_t now);

/// What is wrong with this time limit of an allocation, nothing if nothing is known to be: an epoch of one of these
/// jobs that does not fit would begin anew in every allocation.
std::optional<std::string> time_limit_problem(const Plan& plan, const std::vector<std::size_t>& jobs,
                                              const DurationModel& model, const std::string& device_kind,
                                              double limit_s);

}  // namespace leadsweep

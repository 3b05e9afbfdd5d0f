// Identity of a job: SHA-256 of canonical JSON (typed, keys sorted, defaults left out, shortest round-trip numbers).
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// The settings of `spec` that belong to `part` or a part before it (kTrain < kEvaluate < kNone) and differ from their
/// defaults, flat (dotted path to value). kNone gives all of them.
nlohmann::json canonical_settings(const JobSpec& spec, KeyPart part);

/// The spec alone: the same point of the same grid, whatever records lie in the folder.
/// Resources and paths are left out: they say where a job runs and where its records lie, not what it is.
std::string point_of(const JobSpec& spec);
/// The configuration that all folds of a group share: the point without `fold`.
std::string group_of(const JobSpec& spec);

/// Digests of what a job is trained and tested on.
struct DataIdentity {
    std::string data_digest;   ///< of all records and labels of the catalogue (shared/ecg/catalogue.hpp)
    std::string lists_digest;  ///< of this fold's three record lists (shared/job/fold_lists.hpp)
};

struct JobKeys {
    std::string point;
    std::string group;
    std::string train_key;
    std::string key;
};

JobKeys keys_of(const JobSpec& spec, const DataIdentity& data);

}  // namespace leadsweep

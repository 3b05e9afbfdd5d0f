// Identity of a job: SHA-256 of canonical JSON (typed, keys sorted, defaults left out, shortest round-trip numbers).
#pragma once

#include <string>

#include "shared/core/digest.hpp"
#include "shared/job/job_spec.hpp"
#include "shared/job/spec_text.hpp"

namespace leadsweep {

/// The spec alone: the same point of the same grid, whatever records lie in the folder.
/// Resources and paths are left out: they say where a job runs and where its records lie, not what it is.
std::string point_of(const JobSpec& spec);

/// Digests of what a job is trained and tested on.
struct DataIdentity {
    std::string data_digest;   ///< of all records and labels of the catalogue (shared/ecg/catalogue.hpp)
    std::string lists_digest;  ///< of this fold's three record lists (shared/job/fold_lists.hpp)
};

struct JobKeys {
    std::string point;
    std::string group;  ///< the configuration that all folds share: the point without `fold`
    std::string train_key;
    std::string key;
};

/// The same as bytes, for very many jobs.
struct JobDigests {
    Digest point;
    Digest group;
    Digest train_key;
    Digest key;
};

JobDigests digests_of(const SpecText& spec, const DataIdentity& data);
JobKeys keys_of(const JobSpec& spec, const DataIdentity& data);

}  // namespace leadsweep

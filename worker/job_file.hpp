// A job in a file, so that a person can run it: what a coordinator assigned (left beside a failed attempt as job.json),
// or a spec alone, whose records are then surveyed, prepared and divided here.
#pragma once

#include <string>

#include "shared/protocol/messages.hpp"

namespace leadsweep {

inline constexpr const char* kJobFile = "job.json";

/// Writes spec, lists, pack and keys of an assignment as JSON, durably. Throws FileError.
void write_job_file(const Assign& assign, const std::string& path);

/// The assignment of a job file, to be run by one worker that writes to `out` and goes on from a checkpoint there. Of a
/// spec alone, lists and pack are made in `out` first: records with a known class are divided by patient, in order,
/// into folds.k folds; fold `fold` is tested, the one after it validates. These are not the folds of a sweep. Throws
/// InputError, FileError.
Assign read_job_file(const std::string& path, const std::string& out);

}  // namespace leadsweep

// What `doctor` looks at: the database as a file, what its rows promise, and the files beside it. Nothing is changed
// here.
#pragma once

#include <string>
#include <vector>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/store/inspection.hpp"
#include "orchestrator/store/read_store.hpp"
#include "shared/core/ids.hpp"

namespace leadsweep {

/// What `--repair` can do about a finding.
enum class Remedy {
    kNone,            ///< a person has to act
    kCloseAttempts,   ///< attempts left open are closed as interrupted
    kWithdrawResult,  ///< the job runs again
    kRemove           ///< the file or folder is of no use
};

struct Finding {
    std::string what;
    std::string where;
    std::string advice;
    Remedy remedy = Remedy::kNone;
    JobId job = {};         ///< of kWithdrawResult
    std::string path = {};  ///< of kRemove
};

struct Checkup {
    bool is_quick = false;   ///< sizes of artefacts, not their digests
    bool is_served = false;  ///< a coordinator runs: what it is about to write is no orphan
};

/// Whether the file is whole, of this version, and kept as its file system asks for.
std::vector<Finding> check_file(const FileInspection& file, const std::string& db);
/// Lock, requests, temporary files and free space around the database.
std::vector<Finding> check_surroundings(const Places& places, const Checkup& checkup);
/// Whether jobs, attempts and results agree with each other.
std::vector<Finding> check_rows(const ReadStore& store, const Checkup& checkup);
/// Whether every artefact of a result, and every list of records, is there with its digest.
std::vector<Finding> check_artifacts(const ReadStore& store, const Places& places, const Checkup& checkup);
/// Whether jobs without a result can go on from the checkpoints that their attempts saved last.
std::vector<Finding> check_checkpoints(const ReadStore& store, const Places& places, const Checkup& checkup);
/// Folders of attempts that are of no use any more, and half-written files below the work folder.
std::vector<Finding> check_orphans(const ReadStore& store, const Places& places, const Checkup& checkup);

}  // namespace leadsweep

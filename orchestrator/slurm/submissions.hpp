// What `submit` remembers beside the database: its Slurm jobs, so that `status` and `cancel` know them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leadsweep {

struct Submission {
    std::string id;  ///< of the Slurm job
    std::string sweep;
    std::string submitted_utc;
    std::int64_t shards = 0;  ///< tasks of the array; 0: none
};

/// Scripts, outputs and the list of submissions of a database; only its owner's.
std::string slurm_folder(const std::string& database_path);

/// Makes the folder (0700). Throws FileError.
void make_slurm_folder(const std::string& folder);

/// Adds a line to the list, durably. Throws FileError.
void remember_submission(const std::string& folder, const Submission& submission);

/// The latest submissions, the last one last; lines that cannot be read are left out.
std::vector<Submission> submissions_in(const std::string& folder);

}  // namespace leadsweep

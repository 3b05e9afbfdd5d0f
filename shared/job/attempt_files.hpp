// Names of the files of an attempt that more than one program knows.
#pragma once

#include <array>
#include <string>

namespace leadsweep {

/// What training goes on from, and the one before, in case the newest is torn.
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";
inline constexpr const char* kPreviousCheckpointFile = "checkpoint.previous.safetensors";
inline constexpr std::array kCheckpointFiles = {kCheckpointFile, kPreviousCheckpointFile};

/// Of the folders of a job's attempts, named by their numbers, the newest that has a checkpoint; "" if none has.
std::string newest_folder_with_checkpoint(const std::string& job_folder);

/// To be called when the result of the attempt is durable where it counts, not before: until then a lost result costs
/// no training. What cannot be removed is left.
void remove_checkpoints(const std::string& attempt_folder);

}  // namespace leadsweep

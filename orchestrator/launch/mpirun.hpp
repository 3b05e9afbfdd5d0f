// `leadsweep run --ranks N`: starts mpirun with the settings that outlive a dead rank, and gives back what rank 0 says.
#pragma once

#include <string>
#include <vector>

namespace leadsweep {

/// Environment variable naming the file to which rank 0 writes its exit code: mpirun's own may be 0 whatever happened.
inline constexpr const char* kExitFileVariable = "LEADSWEEP_EXIT_FILE";

/// Rank 0 takes a lock that the kernel gives back at its end: so the wrapper sees it die, on whatever node. Not before
/// the spawner's fork, which would hold the lock as well. Nothing is done by other ranks and where --ranks did not
/// start this.
void mark_rank_zero();
/// Rank 0 has met all other ranks.
void mark_rank_zero_up();

/// Runs `arguments` ([0]: this program, without --ranks) on `ranks` ranks. Interrupts reach rank 0 as SIGUSR1. An
/// mpirun that outlives rank 0 is ended; a rank 0 that outlives mpirun is waited for; a rank 0 that died is started
/// again, at most `relaunches` times. Returns the
/// exit code. Throws Error where mpirun cannot be started.
int run_under_mpirun(int ranks, const std::vector<std::string>& arguments, const std::string& exit_file,
                     int relaunches = 3);

}  // namespace leadsweep

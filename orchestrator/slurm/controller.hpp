// What leadsweep says to Slurm's controller: a constant number of calls for a sweep, however many jobs it has.
//   submit   sbatch --test-only, sbatch; squeue where an earlier submission may still be there
//   run      scontrol show job: once, by rank 0, where the environment does not tell the end of the allocation
//   script   scontrol requeue, at the end of an allocation; scontrol show job after a TERM
//   status   squeue; cancel: squeue and scancel
#pragma once

#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace leadsweep {

/// What sbatch --test-only says. Throws InputError with Slurm's words where it would refuse the script, or where there
/// is no sbatch.
struct ExpectedStart {
    std::string words;  ///< of sbatch
    std::string start;  ///< "2026-01-31T12:00:00"; "" if it was not told
};
ExpectedStart test_submission(const std::string& script_path);

/// Number of the job. Throws InputError with Slurm's words where it refuses.
std::string submit_script(const std::string& script_path);

/// A job of this user as the queue shows it.
struct QueuedJob {
    std::string id;  ///< of the whole array for its tasks
    std::string shown_id;
    std::string state;
    std::string reason;
    std::string start;
    std::string time_left;
    std::string nodes;
};

/// The jobs of this user with these ids that wait or run. Nothing where Slurm does not answer, or is not there.
std::optional<std::vector<QueuedJob>> queued_jobs(const std::vector<std::string>& ids);

/// Throws InputError with Slurm's words where it refuses.
void cancel_slurm_jobs(const std::vector<std::string>& ids);

/// What the environment of a process tells of its allocation.
using JobEnvironment = std::map<std::string, std::string>;
JobEnvironment job_environment();

/// Seconds until Slurm ends the allocation of this process; nothing outside of one, or where nobody tells. Asks the
/// controller once where the environment does not know (Slurm 22.05), before MPI is initialised. Two ways lead to the
/// end: the controller's clock, and the time limit since the batch script started. The earlier one counts: so a clock
/// that differs between nodes makes nobody late.
std::optional<double> time_left_of_allocation();

/// The same from what is known: `job` is the line of `scontrol show job -o`, "" if it was not asked for.
std::optional<double> time_left(const JobEnvironment& environment, const std::string& job, std::time_t now);

}  // namespace leadsweep

// The batch script that `submit` gives to Slurm, made from slurm/run_sweep.sbatch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leadsweep {

struct BatchScript {
    std::string job_name;  ///< anything: what Slurm would not take is replaced
    std::string partition;
    std::string account;
    std::int64_t nodes = 1;
    std::int64_t gpus_per_node = 0;
    std::int64_t cpus_per_task = 0;
    std::string memory;
    std::string time;
    std::int64_t signal_s = 0;
    std::string launcher;
    std::int64_t max_requeues = 0;
    std::string environment;             ///< file that the job's shell reads; "": none
    std::vector<std::string> options;    ///< further options of sbatch
    std::int64_t shards = 0;             ///< tasks of an array; 0: no array
    std::string folder;                  ///< for outputs, only its owner's
    std::string work;                    ///< checkpoints and results
    std::string leadsweep;               ///< program
    std::vector<std::string> arguments;  ///< of `leadsweep run`
};

/// The whole text. Arguments and paths are quoted so that the shell takes them as they are, whatever they hold. Throws
/// InputError for what a line of #SBATCH cannot hold: line breaks and other control characters.
std::string render_batch_script(const BatchScript& script);

/// The text as one word of a POSIX shell.
std::string shell_quoted(const std::string& text);

/// Name of the Slurm job of a sweep.
std::string job_name_of(const std::string& sweep);

}  // namespace leadsweep

// The site file: what is the same for all sweeps of a cluster. Read by `submit`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace leadsweep {

struct SiteSettings {
    std::string partition;  ///< "": Slurm's default
    std::string account;    ///< "": Slurm's default
    std::int64_t nodes = 1;
    std::int64_t gpus_per_node = 0;  ///< 0: none is asked for
    std::int64_t cpus_per_task = 0;  ///< 0: as many as the site gives
    std::string memory;              ///< of a node, as sbatch --mem; "": the site's default
    std::string time = "08:00:00";
    std::int64_t signal_s = 180;
    std::string launcher = "mpirun";
    std::int64_t max_requeues = 50;
    std::string environment;          ///< absolute path; "": none
    std::vector<std::string> sbatch;  ///< further options of sbatch
};

/// Throws FileError where the file cannot be read, InputError with every problem, each as "file:line:column: what".
SiteSettings load_site_file(const std::filesystem::path& path);
/// The same for text that is at hand; `file` names it in messages, and relative paths are taken from its folder.
SiteSettings parse_site(const std::string& text, const std::filesystem::path& file);

/// Problems of settings wherever they come from, each naming the setting; none if all is well.
std::vector<std::string> problems_of(const SiteSettings& settings);

/// Seconds of a time limit as Slurm writes it ("90" minutes, "4:00:00", "1-12", "2-00:30:00"); 0 if it is none.
double seconds_of_time_limit(const std::string& text);

}  // namespace leadsweep

#include "shared/job/attempt_files.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>

namespace leadsweep {

std::string newest_folder_with_checkpoint(const std::string& job_folder) {
    std::uint64_t newest = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(job_folder, error)) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        // Killed between putting the last one aside and having written the next, only the one before is there.
        const bool has_one = std::ranges::any_of(kCheckpointFiles, [&](const char* file) {
            std::error_code ignored;
            return std::filesystem::exists(entry.path() / file, ignored);
        });
        if (has_one) newest = std::max<std::uint64_t>(newest, std::stoull(name));
    }
    return newest == 0 ? "" : job_folder + "/" + std::to_string(newest);
}

void remove_checkpoints(const std::string& attempt_folder) {
    std::error_code is_left;
    for (const char* name : kCheckpointFiles) std::filesystem::remove(attempt_folder + "/" + name, is_left);
}

}  // namespace leadsweep

#include "orchestrator/slurm/submissions.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kMostLines = 200;  ///< older ones have long left the queue

std::string list_path(const std::string& folder) {
    return folder + "/submissions.jsonl";
}

}  // namespace

std::string slurm_folder(const std::string& database_path) {
    return database_path + ".slurm";
}

void make_slurm_folder(const std::string& folder) {
    require_writable_folder(folder);
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
}

void remember_submission(const std::string& folder, const Submission& submission) {
    auto all = submissions_in(folder);
    all.push_back(submission);
    std::string text;
    for (std::size_t i = all.size() > kMostLines ? all.size() - kMostLines : 0; i < all.size(); ++i)
        text += nlohmann::json{{"job", all[i].id},
                               {"sweep", all[i].sweep},
                               {"submitted", all[i].submitted_utc},
                               {"shards", all[i].shards}}
                    .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n";
    write_file_durably(list_path(folder), text);
}

std::vector<Submission> submissions_in(const std::string& folder) {
    std::vector<Submission> found;
    if (!std::filesystem::exists(list_path(folder))) return found;
    for (const std::string& line : split(read_file(list_path(folder)), '\n')) {
        const auto row = nlohmann::json::parse(line, nullptr, false);
        if (!row.is_object() || !row.contains("job")) continue;
        found.push_back({row.value("job", ""), row.value("sweep", ""), row.value("submitted", ""),
                         row.value("shards", std::int64_t{0})});
    }
    return found;
}

}  // namespace leadsweep

#include "orchestrator/commands/shard.hpp"

#include <filesystem>
#include <regex>
#include <unordered_map>

#include <fmt/format.h>

#include "shared/core/errors.hpp"

namespace leadsweep {

Shard parse_shard(const std::string& text) {
    std::smatch part;
    if (std::regex_match(text, part, std::regex(R"((\d{1,6})/(\d{1,6}))"))) {
        const Shard shard{std::stoul(part[1].str()), std::stoul(part[2].str())};
        if (shard.index >= 1 && shard.index <= shard.count) return shard;
    }
    throw InputError(fmt::format("--shard {}: expected i/n with i from 1 to n, as 2/4", text));
}

std::vector<bool> jobs_of_shard(const Plan& plan, const Shard& shard) {
    std::vector<bool> is_own(plan.jobs.size());
    std::unordered_map<Digest, std::size_t, DigestHash> part_of;
    for (std::size_t job = 0; job < plan.jobs.size(); ++job) {
        const auto part = part_of.try_emplace(plan.jobs[job].train_key, part_of.size() % shard.count).first->second;
        is_own[job] = part + 1 == shard.index;
    }
    return is_own;
}

std::string database_of_shard(const std::string& database, const Shard& shard) {
    if (shard.is_whole()) return database;
    const std::filesystem::path path(database);
    return (path.parent_path() /
            fmt::format("{}.{}-of-{}{}", path.stem().string(), shard.index, shard.count, path.extension().string()))
        .string();
}

}  // namespace leadsweep

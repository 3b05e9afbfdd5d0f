#include "orchestrator/store/migrations.hpp"

#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <embedded/leadsweep_store.hpp>

#include "orchestrator/store/connection.hpp"

namespace leadsweep {
namespace {

constexpr std::array kMigrations = {Migration{1, embedded::_0001_initial_sql},
                                    Migration{2, embedded::_0002_plan_digest_sql},
                                    Migration{3, embedded::_0003_lead_importance_counts_sql},
                                    Migration{4, embedded::_0004_merge_sql},
                                    Migration{5, embedded::_0005_checkpoints_sql},
                                    Migration{6, embedded::_0006_finished_jobs_sql}};

}  // namespace

std::span<const Migration> all_migrations() {
    return kMigrations;
}

int newest_schema_version() {
    return kMigrations.back().version;
}

void migrate(Connection& connection, std::span<const Migration> migrations) {
    const std::int64_t present = connection.integer("PRAGMA user_version").value_or(0);
    if (present > 0 && !migrations.empty() && migrations.back().version > present) {
        const std::string backup = fmt::format("{}.v{}.backup", connection.path(), present);
        if (!std::filesystem::exists(backup)) connection.run("VACUUM INTO ?", backup);
    }
    for (const Migration& step : migrations) {
        if (step.version <= present) continue;
        connection.execute("BEGIN IMMEDIATE");
        try {
            connection.execute(std::string(step.sql));
            connection.execute(
                fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, step.version));
            connection.execute("COMMIT");
        } catch (const StoreError&) {
            connection.database().tryExec("ROLLBACK");
            throw;
        }
    }
}

}  // namespace leadsweep

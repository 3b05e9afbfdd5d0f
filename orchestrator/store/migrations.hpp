// Steps from each version of the schema to the next. Forward only; each step is one transaction.
#pragma once

#include <span>
#include <string_view>

namespace leadsweep {

class Connection;

struct Migration {
    int version;  ///< user_version after it
    std::string_view sql;
};

/// All steps, oldest first; the last one's version is the newest schema.
std::span<const Migration> all_migrations();
int newest_schema_version();

/// Applies the steps above the database's user_version. A database that already holds a version is first copied to
/// `<path>.v<version>.backup`. Throws StoreError; a step that fails leaves the version before it.
void migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace leadsweep

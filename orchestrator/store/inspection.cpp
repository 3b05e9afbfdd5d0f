#include "orchestrator/store/inspection.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include "orchestrator/store/connection.hpp"
#include "orchestrator/store/migrations.hpp"

namespace leadsweep {
namespace {

/// The rows of a check; a file that is whole says "ok" alone.
std::vector<std::string> findings_of(Connection& connection, const char* check) {
    std::vector<std::string> findings;
    try {
        connection.each(check, [&](SQLite::Statement& row) {
            const std::string text = row.getColumn(0).getString();
            if (text != "ok") findings.push_back(text);
        });
    } catch (const StoreError& error) {
        if (error.code() != SQLITE_CORRUPT) throw;
        findings.push_back(error.what());  // so damaged that the check cannot go on
    }
    return findings;
}

}  // namespace

std::vector<std::string> quick_check(const std::string& path) {
    Connection connection(path, SQLite::OPEN_READONLY);
    return findings_of(connection, "PRAGMA quick_check");
}

FileInspection inspect_file(const std::string& path) {
    Connection connection(path, SQLite::OPEN_READONLY);
    FileInspection found;
    found.newest_version = newest_schema_version();
    found.version = check_identity(connection, found.newest_version);
    found.damages = findings_of(connection, "PRAGMA integrity_check");
    found.journal_mode = connection.text("PRAGMA journal_mode").value_or("");
    found.is_on_network = is_on_network_file_system(path);
    if (!found.damages.empty()) return found;  // its tables may not be readable
    connection.each("PRAGMA foreign_key_check", [&](SQLite::Statement& row) {
        found.dangling_rows.push_back(fmt::format("{} row {} refers to no {}", row.getColumn(0).getString(),
                                                  row.isColumnNull(1) ? 0 : row.getColumn(1).getInt64(),
                                                  row.getColumn(2).getString()));
    });
    return found;
}

}  // namespace leadsweep

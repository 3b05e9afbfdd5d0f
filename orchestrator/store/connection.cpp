#include "orchestrator/store/connection.hpp"

#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <sqlite3.h>

namespace leadsweep {
namespace {

constexpr std::array<std::uint32_t, 13> kNetworkFileSystems = {
    0x00006969,  // NFS
    0x0000517B,  // SMB
    0xFF534D42,  // CIFS
    0xFE534D42,  // SMB2
    0x0BD00BD0,  // Lustre
    0x47504653,  // GPFS
    0x19830326,  // BeeGFS
    0x00C36400,  // Ceph
    0x65735546,  // FUSE
    0x5346414F,  // AFS
    0x01021997,  // 9p
    0xAAD7AAEA,  // PanFS
    0x01161970,  // GFS2
};

std::string advice_for(int code) {
    if (code == SQLITE_FULL) return "; the disk is full: free some space and start again, nothing was half written";
    if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
        return "; the file or its folder cannot be written: give the rights to this user, or name another one with "
               "--db";
    if (code == SQLITE_IOERR) return "; the disk fails: see what the system's log says of it, then start again";
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return "; the file is damaged: restore a backup";
    if (code == SQLITE_BUSY) return "; another program holds the database: wait until it is done, then start again";
    return "";
}

}  // namespace

StoreError::StoreError(std::string path, std::string sql, int code, int extended_code, const std::string& message)
    : Error(fmt::format("{}: {} (SQLite {}/{}){}; statement: {}", path, message, code, extended_code, advice_for(code),
                        sql)),
      path_(std::move(path)),
      sql_(std::move(sql)),
      code_(code),
      extended_code_(extended_code) {}

ExitCode StoreError::exit_code() const {
    if (code_ == SQLITE_FULL || code_ == SQLITE_IOERR || code_ == SQLITE_BUSY) return kExitInterrupted;
    if (code_ == SQLITE_READONLY || code_ == SQLITE_CANTOPEN || code_ == SQLITE_PERM) return kExitBadInput;
    return kExitInternal;
}

SQLite::Database Connection::open_database(const std::string& path, int flags, const std::string& vfs) {
    try {
        return SQLite::Database(path, flags, 0, vfs);
    } catch (const SQLite::Exception& error) {
        throw StoreError(path, "open", error.getErrorCode(), error.getExtendedErrorCode(), error.what());
    }
}

Connection::Connection(const std::string& path, int flags, const std::string& vfs)
    : path_(path), database_(open_database(path, flags, vfs)) {
    execute("PRAGMA busy_timeout = 10000; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON");
}

void Connection::execute(const std::string& sql) {
    guarded(sql, [&] { return database_.exec(sql); });
}

void Connection::fail(std::string_view sql, const SQLite::Exception& error) const {
    throw StoreError(path_, std::string(sql), error.getErrorCode(), error.getExtendedErrorCode(), error.what());
}

SQLite::Statement& Connection::statement(std::string_view sql) {
    const auto found = statements_.find(sql);
    if (found != statements_.end()) return *found->second;
    std::string text(sql);
    auto prepared = std::make_unique<SQLite::Statement>(database_, text);
    return *statements_.emplace(std::move(text), std::move(prepared)).first->second;
}

bool is_on_network_file_system(const std::string& path) {
    const auto folder = std::filesystem::absolute(path).parent_path();
    struct statfs found {};
    if (statfs(folder.c_str(), &found) != 0) return false;
    const auto magic = static_cast<std::uint32_t>(found.f_type);
    return std::find(kNetworkFileSystems.begin(), kNetworkFileSystems.end(), magic) != kNetworkFileSystems.end();
}

int check_identity(Connection& connection, int newest_version) {
    std::int64_t application = 0;
    std::int64_t version = 0;
    std::int64_t objects = 0;
    try {
        application = connection.integer("PRAGMA application_id").value_or(0);
        version = connection.integer("PRAGMA user_version").value_or(0);
        objects = connection.integer("SELECT count(*) FROM sqlite_schema").value_or(0);
    } catch (const StoreError& error) {
        if (error.code() != SQLITE_NOTADB) throw;
        throw InputError(
            fmt::format("{}: this file is no SQLite database; name another one with --db", connection.path()));
    }
    if (application == 0 && version == 0 && objects == 0) return 0;
    if (application != kApplicationId)
        throw InputError(fmt::format(
            "{}: this SQLite database belongs to another program (application_id {:#x}, expected {:#x}); name "
            "another one with --db",
            connection.path(), application, kApplicationId));
    if (version > newest_version)
        throw InputError(fmt::format(
            "{}: the database has version {}, this leadsweep knows versions up to {}; use a newer leadsweep",
            connection.path(), version, newest_version));
    return static_cast<int>(version);
}

}  // namespace leadsweep

// One SQLite connection with kept statements; turns what SQLiteCpp throws into StoreError. Inside store/ only: no other
// folder sees SQLiteCpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <SQLiteCpp/SQLiteCpp.h>

#include "orchestrator/store/store_error.hpp"
#include "shared/core/ids.hpp"

namespace leadsweep {

inline constexpr int kApplicationId = 0x4C535750;  ///< "LSWP"

class Connection {
public:
    /// `flags` and `vfs` as of sqlite3_open_v2; "": SQLite's own choice. Throws StoreError.
    Connection(const std::string& path, int flags, const std::string& vfs = "");

    SQLite::Database& database() { return database_; }
    const std::string& path() const { return path_; }

    /// Any number of statements without values and rows.
    void execute(const std::string& sql);

    /// One kept statement; returns the number of changed rows.
    template <class... Values>
    std::int64_t run(std::string_view sql, const Values&... values) {
        return guarded(sql, [&] {
            Use use(statement(sql));
            bind_all(use.statement, values...);
            use.statement.exec();
            return static_cast<std::int64_t>(database_.getChanges());
        });
    }

    /// Calls on_row(SQLite::Statement&) for every row.
    template <class OnRow, class... Values>
    void each(std::string_view sql, OnRow&& on_row, const Values&... values) {
        guarded(sql, [&] {
            Use use(statement(sql));
            bind_all(use.statement, values...);
            while (use.statement.executeStep()) on_row(use.statement);
            return 0;
        });
    }

    /// First column of the first row; nothing without rows or where it is NULL.
    template <class... Values>
    std::optional<std::int64_t> integer(std::string_view sql, const Values&... values) {
        std::optional<std::int64_t> found;
        each(
            sql,
            [&](SQLite::Statement& row) {
                if (!found && !row.isColumnNull(0)) found = row.getColumn(0).getInt64();
            },
            values...);
        return found;
    }
    template <class... Values>
    std::optional<std::string> text(std::string_view sql, const Values&... values) {
        std::optional<std::string> found;
        each(
            sql,
            [&](SQLite::Statement& row) {
                if (!found && !row.isColumnNull(0)) found = row.getColumn(0).getString();
            },
            values...);
        return found;
    }

    [[noreturn]] void fail(std::string_view sql, const SQLite::Exception& error) const;

    template <class Work>
    auto guarded(std::string_view sql, Work&& work) {
        try {
            return work();
        } catch (const SQLite::Exception& error) {
            fail(sql, error);
        }
    }

private:
    /// Gives a statement back to the cache ready for its next use, whatever happens.
    struct Use {
        explicit Use(SQLite::Statement& used) : statement(used) {}
        ~Use() { statement.tryReset(); }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        SQLite::Statement& statement;
    };

    SQLite::Statement& statement(std::string_view sql);

    template <class... Values>
    static void bind_all(SQLite::Statement& statement, const Values&... values) {
        int index = 0;
        (bind(statement, ++index, values), ...);
    }
    static void bind(SQLite::Statement& s, int i, std::int64_t value) { s.bind(i, value); }
    static void bind(SQLite::Statement& s, int i, int value) { s.bind(i, value); }
    static void bind(SQLite::Statement& s, int i, bool value) { s.bind(i, value ? 1 : 0); }
    static void bind(SQLite::Statement& s, int i, double value) { s.bind(i, value); }  // SQLite stores NaN as NULL
    // Without a copy: every statement is over before its values are.
    static void bind(SQLite::Statement& s, int i, const std::string& value) { s.bindNoCopy(i, value); }
    static void bind(SQLite::Statement& s, int i, std::string_view value) { s.bind(i, std::string(value)); }
    static void bind(SQLite::Statement& s, int i, const char* value) { s.bind(i, value); }
    template <class Tag>
    static void bind(SQLite::Statement& s, int i, Id<Tag> value) {
        s.bind(i, static_cast<std::int64_t>(value.value));
    }
    template <class T>
    static void bind(SQLite::Statement& s, int i, const std::optional<T>& value) {
        if (value)
            bind(s, i, *value);
        else
            s.bind(i);
    }

    static SQLite::Database open_database(const std::string& path, int flags, const std::string& vfs);

    std::string path_;
    SQLite::Database database_;
    std::map<std::string, std::unique_ptr<SQLite::Statement>, std::less<>> statements_;
};

/// Whether the file lies on a network or user-space file system, where WAL's shared memory does not work (statfs).
bool is_on_network_file_system(const std::string& path);

/// Throws InputError where an existing file is no database of leadsweep that this program understands; returns its
/// user_version, 0 for a file that is new and empty.
int check_identity(Connection& connection, int newest_version);

}  // namespace leadsweep

// The database as readers see it: tables, maps, status, and people's own questions. Never writes and never blocks the
// coordinator.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "orchestrator/store/store_error.hpp"

struct sqlite3_stmt;

namespace leadsweep {

/// NULL, integer, number or text. Blobs come as text.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;

struct SqlResult {
    std::vector<std::string> columns;
    std::vector<std::vector<SqlValue>> rows;
};

/// One row of an answer while it is read; nothing of it outlives the call that is given it.
class SqlRow {
public:
    explicit SqlRow(sqlite3_stmt* statement) : statement_(statement) {}
    bool is_null(int column) const;
    std::int64_t integer(int column) const;   ///< 0 for NULL
    double number(int column) const;          ///< 0 for NULL
    std::string_view text(int column) const;  ///< "" for NULL

private:
    sqlite3_stmt* statement_;
};

/// For one thread at a time.
class ReadStore {
public:
    /// Throws InputError where there is no file, or it is no database of leadsweep, or of a newer version; StoreError.
    /// On a network file system whose database is in use, the latest snapshot is read instead.
    static ReadStore open(const std::string& path);
    ReadStore(ReadStore&&) noexcept;
    ~ReadStore();

    /// One statement that only reads; `values` for its question marks. Throws InputError where it would write, holds
    /// several statements, or is no SQL (with SQLite's own words); StoreError where reading fails.
    SqlResult ask(const std::string& sql, std::span<const SqlValue> values = {}) const;
    SqlResult ask(const std::string& sql, std::initializer_list<SqlValue> values) const {
        return ask(sql, std::span<const SqlValue>(values.begin(), values.size()));
    }

    /// The same, row by row, for answers of millions of rows.
    void each(const std::string& sql, std::span<const SqlValue> values,
              const std::function<void(const SqlRow&)>& on_row) const;
    void each(const std::string& sql, std::initializer_list<SqlValue> values,
              const std::function<void(const SqlRow&)>& on_row) const {
        each(sql, std::span<const SqlValue>(values.begin(), values.size()), on_row);
    }

    /// The same question for each of many ids, prepared once: `sql` has ?1 for the id, ?2 and so on for `values`. Calls
    /// on_row(place of the id, row); all answers are of one state of the database.
    void each_of(const std::string& sql, std::span<const std::int64_t> ids, std::initializer_list<SqlValue> values,
                 const std::function<void(std::size_t, const SqlRow&)>& on_row) const;

    /// Until the returned object goes, all answers are of the state that the database has now, whatever a running sweep
    /// commits meanwhile.
    using Hold = std::shared_ptr<const void>;
    [[nodiscard]] Hold hold() const;

    /// The CREATE statements of all tables, indices and views in order of creation: the text of results/schema.sql.
    std::string schema() const;
    /// Age of the snapshot that is read; nothing where the database itself is.
    std::optional<double> snapshot_age_s() const;
    /// Changes with every commit of another process; for asking whether to read anew.
    std::int64_t data_version() const;

private:
    struct State;
    std::shared_ptr<sqlite3_stmt> prepared(const std::string& sql) const;
    void step_through(const std::string& sql, sqlite3_stmt* statement,
                      const std::function<void(const SqlRow&)>& on_row) const;
    explicit ReadStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Of the SQLite library this program runs with.
std::string sqlite_version();

/// Access to values of ask(): throws std::bad_variant_access where the column has another type. as_number() takes
/// integers too; nothing for NULL.
std::optional<double> as_number(const SqlValue& value);
std::optional<std::int64_t> as_integer(const SqlValue& value);
std::string as_text(const SqlValue& value);  ///< "" for NULL

}  // namespace leadsweep

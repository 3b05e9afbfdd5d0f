// The database as readers see it: tables, maps, status, and people's own questions. Never writes and never blocks the
// coordinator.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "orchestrator/store/store_error.hpp"

namespace leadsweep {

/// NULL, integer, number or text. Blobs come as text.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;

struct SqlResult {
    std::vector<std::string> columns;
    std::vector<std::vector<SqlValue>> rows;
};

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

    /// The CREATE statements of all tables, indices and views in order of creation: the text of results/schema.sql.
    std::string schema() const;
    /// Age of the snapshot that is read; nothing where the database itself is.
    std::optional<double> snapshot_age_s() const;

private:
    struct State;
    explicit ReadStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Access to values of ask(): throws std::bad_variant_access where the column has another type. as_number() takes
/// integers too; nothing for NULL.
std::optional<double> as_number(const SqlValue& value);
std::optional<std::int64_t> as_integer(const SqlValue& value);
std::string as_text(const SqlValue& value);  ///< "" for NULL

}  // namespace leadsweep

#include "orchestrator/store/read_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>
#include <sqlite3.h>

#include "orchestrator/store/connection.hpp"
#include "orchestrator/store/migrations.hpp"
#include "orchestrator/store/result_store.hpp"
#include "orchestrator/store/store_lock.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::array<std::string_view, 10> kReadingPragmas = {
    "table_info",  "table_xinfo",  "table_list",       "index_list",     "index_info",
    "index_xinfo", "user_version", "foreign_key_list", "application_id", "data_version"};

/// SQLite asks this before it compiles each part of a statement: whatever is not plain reading is refused.
int allow_reading_only(void*, int action, const char* first, const char* second, const char*, const char*) {
    switch (action) {
        case SQLITE_SELECT:
        case SQLITE_READ:
        case SQLITE_RECURSIVE:
            return SQLITE_OK;
        case SQLITE_FUNCTION:
            return second != nullptr && std::string_view(second) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
        case SQLITE_PRAGMA: {
            const std::string name = to_lower(first != nullptr ? first : "");
            const bool is_known =
                std::find(kReadingPragmas.begin(), kReadingPragmas.end(), name) != kReadingPragmas.end();
            const bool sets_value = (name == "user_version" || name == "application_id") && second != nullptr;
            return is_known && !sets_value ? SQLITE_OK : SQLITE_DENY;
        }
        default:
            return SQLITE_DENY;
    }
}

void bind_value(sqlite3_stmt* statement, int index, const SqlValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value))
        sqlite3_bind_int64(statement, index, *whole);
    else if (const auto* real = std::get_if<double>(&value))
        sqlite3_bind_double(statement, index, *real);
    else if (const auto* words = std::get_if<std::string>(&value))
        sqlite3_bind_text64(statement, index, words->data(), words->size(), SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(statement, index);
}

SqlValue column_value(sqlite3_stmt* statement, int index) {
    switch (sqlite3_column_type(statement, index)) {
        case SQLITE_INTEGER:
            return sqlite3_column_int64(statement, index);
        case SQLITE_FLOAT:
            return sqlite3_column_double(statement, index);
        case SQLITE_NULL:
            return std::monostate{};
        default: {
            const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, index));
            return std::string(bytes != nullptr ? bytes : "",
                               static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
        }
    }
}

/// A folder that cannot be written has no place for WAL's side files: where no writer left any, the file is complete.
std::string location_of(const std::string& path) {
    const auto folder = std::filesystem::absolute(path).parent_path();
    if (faccessat(AT_FDCWD, folder.c_str(), W_OK, AT_EACCESS) == 0 || std::filesystem::exists(path + "-wal"))
        return path;
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '%' || c == '?' || c == '#')
            uri += fmt::format("%{:02x}", static_cast<int>(c));
        else
            uri += c;
    }
    return uri + "?immutable=1";
}

std::string readable_path(const std::string& path) {
    const std::string snapshot = ResultStore::snapshot_path(path);
    const bool is_shared = is_on_network_file_system(path) && StoreLock::holder_of(path).has_value();
    return is_shared && std::filesystem::exists(snapshot) ? snapshot : path;
}

}  // namespace

struct ReadStore::State {
    State(const std::string& path, bool is_copy)
        : connection(location_of(path), SQLite::OPEN_READONLY | SQLite::OPEN_URI | SQLite::OPEN_NOMUTEX),
          is_snapshot(is_copy),
          file(path) {
        version = check_identity(connection, newest_schema_version());
        connection.execute("PRAGMA query_only = ON; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY");
        sqlite3_set_authorizer(connection.database().getHandle(), allow_reading_only, nullptr);
    }
    mutable Connection connection;
    bool is_snapshot;
    std::string file;
    int version = 0;  ///< of the schema

    /// Why a table or column may not be there.
    std::string age_note() const {
        if (version >= newest_schema_version()) return "";
        return fmt::format(" ({} is of an earlier leadsweep, schema version {} of {}: `leadsweep doctor --repair` brings "
                           "it up to date)",
                           file, version, newest_schema_version());
    }
};

ReadStore::ReadStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ReadStore::ReadStore(ReadStore&&) noexcept = default;
ReadStore::~ReadStore() = default;

ReadStore ReadStore::open(const std::string& path) {
    if (!std::filesystem::is_regular_file(path))
        throw InputError(fmt::format("{}: no such database; name one with --db, or start a sweep first", path));
    const std::string readable = readable_path(path);
    ReadStore store(std::make_unique<State>(readable, readable != path));
    if (store.ask("PRAGMA user_version").rows.at(0).at(0) == SqlValue(std::int64_t{0}))
        throw InputError(fmt::format("{}: the database is empty; start a sweep first", path));
    return store;
}

std::shared_ptr<sqlite3_stmt> ReadStore::prepared(const std::string& sql) const {
    sqlite3* handle = state_->connection.database().getHandle();
    const auto refuse = [&](const std::string& why) {
        throw InputError(fmt::format("{}; only a single question (SELECT) can be asked: {}", why, sql));
    };
    sqlite3_stmt* raw = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v2(handle, sql.c_str(), static_cast<int>(sql.size() + 1), &raw, &rest);
    std::shared_ptr<sqlite3_stmt> statement(raw, &sqlite3_finalize);
    if (code == SQLITE_AUTH) refuse("this statement would change the database or its settings");
    if (code == SQLITE_ERROR)
        throw InputError(fmt::format("{}{}; in: {}", sqlite3_errmsg(handle), state_->age_note(), sql));
    if (code != SQLITE_OK)
        throw StoreError(state_->file, sql, code, sqlite3_extended_errcode(handle), sqlite3_errmsg(handle));
    if (!statement) refuse("there is no statement");
    if (rest != nullptr && !trim(rest).empty()) refuse("there are several statements");
    if (sqlite3_stmt_readonly(statement.get()) == 0) refuse("this statement would change the database");
    return statement;
}

void ReadStore::step_through(const std::string& sql, sqlite3_stmt* statement,
                             const std::function<void(const SqlRow&)>& on_row) const {
    sqlite3* handle = state_->connection.database().getHandle();
    int step = sqlite3_step(statement);
    for (; step == SQLITE_ROW; step = sqlite3_step(statement)) on_row(SqlRow(statement));
    if (step == SQLITE_ERROR) throw InputError(fmt::format("{}; in: {}", sqlite3_errmsg(handle), sql));
    if (step != SQLITE_DONE)
        throw StoreError(state_->file, sql, step, sqlite3_extended_errcode(handle), sqlite3_errmsg(handle));
}

SqlResult ReadStore::ask(const std::string& sql, std::span<const SqlValue> values) const {
    const auto statement = prepared(sql);
    for (std::size_t i = 0; i < values.size(); ++i) bind_value(statement.get(), static_cast<int>(i + 1), values[i]);
    SqlResult result;
    const int width = sqlite3_column_count(statement.get());
    for (int i = 0; i < width; ++i) result.columns.emplace_back(sqlite3_column_name(statement.get(), i));
    step_through(sql, statement.get(), [&](const SqlRow&) {
        auto& row = result.rows.emplace_back();
        row.reserve(result.columns.size());
        for (int i = 0; i < width; ++i) row.push_back(column_value(statement.get(), i));
    });
    return result;
}

void ReadStore::each(const std::string& sql, std::span<const SqlValue> values,
                     const std::function<void(const SqlRow&)>& on_row) const {
    const auto statement = prepared(sql);
    for (std::size_t i = 0; i < values.size(); ++i) bind_value(statement.get(), static_cast<int>(i + 1), values[i]);
    step_through(sql, statement.get(), on_row);
}

void ReadStore::each_of(const std::string& sql, std::span<const std::int64_t> ids,
                        std::initializer_list<SqlValue> values,
                        const std::function<void(std::size_t, const SqlRow&)>& on_row) const {
    const Hold one_state = hold();  // which also spares SQLite to begin and end a transaction for each of them
    const auto statement = prepared(sql);
    int place = 2;
    for (const SqlValue& value : values) bind_value(statement.get(), place++, value);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        sqlite3_reset(statement.get());
        sqlite3_bind_int64(statement.get(), 1, ids[i]);
        step_through(sql, statement.get(), [&](const SqlRow& row) { on_row(i, row); });
    }
}

ReadStore::Hold ReadStore::hold() const {
    // SQLite keeps a read transaction as long as any statement of the connection has begun and is not done.
    const std::string sql = "SELECT 1 FROM sqlite_schema";
    auto statement = prepared(sql);
    if (const int code = sqlite3_step(statement.get()); code != SQLITE_ROW)
        throw StoreError(state_->file, sql, code, code, "the schema cannot be read");
    return statement;
}

bool SqlRow::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t SqlRow::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

double SqlRow::number(int column) const {
    return sqlite3_column_double(statement_, column);
}

std::string_view SqlRow::text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::int64_t ReadStore::data_version() const {
    return as_integer(ask("PRAGMA data_version").rows.at(0).at(0)).value_or(0);
}

std::string ReadStore::schema() const {
    std::string text;
    for (const auto& row : ask("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").rows)
        text += std::get<std::string>(row.at(0)) + ";\n\n";
    if (!text.empty()) text.pop_back();
    return text;
}

std::optional<double> ReadStore::snapshot_age_s() const {
    if (!state_->is_snapshot) return std::nullopt;
    const auto age = std::filesystem::file_time_type::clock::now() - std::filesystem::last_write_time(state_->file);
    return std::chrono::duration<double>(age).count();
}

std::string sqlite_version() {
    return sqlite3_libversion();
}

std::optional<double> as_number(const SqlValue& value) {
    if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    return std::get<double>(value);
}

std::optional<std::int64_t> as_integer(const SqlValue& value) {
    if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
    return std::get<std::int64_t>(value);
}

std::string as_text(const SqlValue& value) {
    if (std::holds_alternative<std::monostate>(value)) return "";
    return std::get<std::string>(value);
}

}  // namespace leadsweep

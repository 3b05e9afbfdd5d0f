// People's own SQL questions, answered as a table. Reading only.
#pragma once

#include <span>
#include <string>

#include "orchestrator/report/table.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

/// The answer to one SELECT. Throws InputError where the statement writes, is no SQL, or the file is no database.
Table query_table(const ReadStore& store, const std::string& sql, std::span<const SqlValue> values = {});
inline Table query_table(const ReadStore& store, const std::string& sql, std::initializer_list<SqlValue> values) {
    return query_table(store, sql, std::span<const SqlValue>(values.begin(), values.size()));
}
/// The same from a file, rendered.
std::string run_query(const std::string& path, const std::string& sql, TableFormat format);

}  // namespace leadsweep

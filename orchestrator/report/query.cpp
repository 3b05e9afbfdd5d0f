#include "orchestrator/report/query.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace leadsweep {

Table query_table(const ReadStore& store, const std::string& sql, std::span<const SqlValue> values) {
    SqlResult answer = store.ask(sql, values);
    Table table;
    for (std::size_t c = 0; c < answer.columns.size(); ++c) {
        const bool is_text = std::any_of(answer.rows.begin(), answer.rows.end(),
                                         [&](const auto& row) { return std::holds_alternative<std::string>(row[c]); });
        // Names are keys in JSON: a repeated one gets its number.
        std::string name = answer.columns[c];
        const auto repeats =
            std::count(answer.columns.begin(), answer.columns.begin() + static_cast<std::ptrdiff_t>(c), name);
        if (repeats > 0) name += fmt::format(" ({})", repeats + 1);
        table.columns.push_back({name, is_text ? Alignment::kLeft : Alignment::kRight});
    }
    for (auto& row : answer.rows) {
        auto& cells = table.rows.emplace_back();
        for (SqlValue& value : row) cells.push_back(cell_of(std::move(value)));
    }
    if (const auto age = store.snapshot_age_s())
        table.notes.push_back(
            fmt::format("Read from a snapshot of {:.0f} s ago: the database is on a network file system.", *age));
    return table;
}

std::string run_query(const std::string& path, const std::string& sql, TableFormat format) {
    return render(query_table(ReadStore::open(path), sql), format);
}

}  // namespace leadsweep

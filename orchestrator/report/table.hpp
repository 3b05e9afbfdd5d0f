// A table for people and programs: columns, cells, caption, notes, and its renderings. What is in it is decided by
// those who make it (comparison.hpp, map.hpp, query.hpp, status.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace leadsweep {

enum class Alignment { kLeft, kRight };
enum class TableFormat { kText, kMarkdown, kCsv, kJson, kLatex, kHtml };

/// "text", "markdown" (or "md"), "csv", "json", "latex", "html". Throws InputError naming them.
TableFormat table_format_from(std::string_view name);

struct Column {
    std::string header;
    Alignment alignment = Alignment::kLeft;
    /// For programs a cell may hold several values ("mean", "sd", "n", "of"): CSV gives each a column of its own
    /// ("header mean"), JSON an object. Empty: one value a cell.
    std::vector<std::string> parts = {};
};

using CellValue = std::variant<std::monostate, std::int64_t, double, std::string>;

struct Cell {
    std::string text;                    ///< for people
    std::vector<CellValue> values;       ///< for programs: one, or one for each part; empty means missing
    bool is_best = false;                ///< emphasised: bold in Markdown, LaTeX and HTML, * in text
    std::vector<std::size_t> jobs = {};  ///< what it was made from: indices into Selection::jobs
};

/// A cell of one value; numbers are shown as in C's "%.6g", missing ones as nothing.
Cell cell_of(CellValue value);

struct Table {
    std::string caption;
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;
    std::vector<std::string> notes;
};

/// The whole table, ending with a line break. Text is aligned by shown width; Markdown is GitHub's; CSV (RFC 4180) is
/// header and rows alone, with full precision; JSON is {"caption", "columns", "rows": [{header: value}], "notes"};
/// LaTeX is a table environment (packages booktabs and graphicx); HTML a page of its own.
std::string render(const Table& table, TableFormat format);

/// Columns a terminal needs for this UTF-8 text.
std::size_t shown_width(std::string_view text);
/// Numbers by value, before words in alphabetical order.
bool is_shown_before(const std::string& a, const std::string& b);
/// The shortest text that reads back as the same number.
std::string shortest(double value);

}  // namespace leadsweep

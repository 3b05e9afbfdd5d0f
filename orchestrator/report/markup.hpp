// Tables in LaTeX and HTML. Whatever comes from people or files is escaped: a sweep named <script> is a name.
#pragma once

#include <string>
#include <string_view>

#include "orchestrator/report/table.hpp"

namespace leadsweep {

/// For text and for attributes in double quotes.
std::string html_escaped(std::string_view text);
/// For SVG files: the same, and control characters, which XML does not have, are spaces.
std::string xml_escaped(std::string_view text);
/// For text in a paragraph or cell; signs that tables use (±, †, ‡, –) become commands.
std::string latex_escaped(std::string_view text);

/// <figure class="table"> with caption, header cells with scope, numbers in data-value for sorting, notes as a list.
/// `id` names it; "" for none.
std::string html_table(const Table& table, std::string_view id);
/// A page that holds one table and its styles.
std::string html_page(const Table& table);
/// A table environment with caption and notes, for \usepackage{booktabs,graphicx}; shrunk to the text's width where it is wider.
std::string latex_table(const Table& table);

}  // namespace leadsweep

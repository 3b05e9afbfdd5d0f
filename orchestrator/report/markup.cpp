#include "orchestrator/report/markup.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "embedded/report_page.hpp"

namespace leadsweep {
namespace {

/// What a column is sorted by: the number of a cell if it has one.
std::string sort_value(const Cell& cell) {
    if (cell.values.empty()) return "";
    if (const auto* whole = std::get_if<std::int64_t>(&cell.values[0])) return std::to_string(*whole);
    if (const auto* real = std::get_if<double>(&cell.values[0])) return shortest(*real);
    return "";
}

std::string html_cell(const Cell& cell, const Column& column, bool is_first) {
    const std::string value = sort_value(cell);
    std::string attributes;
    if (column.alignment == Alignment::kRight) attributes += " class=\"number\"";
    if (!value.empty()) attributes += fmt::format(" data-value=\"{}\"", value);
    const std::string text = html_escaped(cell.text);
    const std::string shown = cell.is_best ? "<b>" + text + "</b>" : text;
    return is_first ? fmt::format("<th scope=\"row\"{}>{}</th>", attributes, shown)
                    : fmt::format("<td{}>{}</td>", attributes, shown);
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kLatexSigns = {{
    {"\\", "\\textbackslash{}"},
    {"{", "\\{"},
    {"}", "\\}"},
    {"$", "\\$"},
    {"&", "\\&"},
    {"#", "\\#"},
    {"%", "\\%"},
    {"_", "\\_"},
    {"~", "\\textasciitilde{}"},
    {"^", "\\textasciicircum{}"},
    {"<", "\\textless{}"},
    {">", "\\textgreater{}"},
    {"±", "$\\pm$"},
    {"†", "\\dag{}"},
    {"‡", "\\ddag{}"},
    {"|", "\\textbar{}"},
    {"--", "-{}-"},  // of an option; LaTeX would make a dash of it
}};

/// Minus signs of numbers: "-0.012" would be shown with a hyphen.
bool is_minus(std::string_view text, std::size_t at) {
    return text[at] == '-' && at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '9' &&
           (at == 0 || text[at - 1] == ' ' || text[at - 1] == '[');
}

}  // namespace

std::string html_escaped(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

std::string xml_escaped(std::string_view text) {
    std::string escaped = html_escaped(text);
    std::replace_if(
        escaped.begin(), escaped.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return escaped;
}

std::string latex_escaped(std::string_view text) {
    std::string escaped;
    for (std::size_t at = 0; at < text.size();) {
        const auto sign = std::find_if(kLatexSigns.begin(), kLatexSigns.end(),
                                       [&](const auto& one) { return text.substr(at).starts_with(one.first); });
        if (sign != kLatexSigns.end()) {
            escaped += sign->second;
            at += sign->first.size();
        } else if (is_minus(text, at)) {
            escaped += "$-$";
            ++at;
        } else {
            escaped += text[at] == '\n' || text[at] == '\r' ? ' ' : text[at];
            ++at;
        }
    }
    return escaped;
}

std::string html_table(const Table& table, std::string_view id) {
    std::string out =
        id.empty() ? "<figure class=\"table\">\n" : fmt::format("<figure class=\"table\" id=\"{}\">\n", id);
    if (!table.caption.empty()) out += "<figcaption>" + html_escaped(table.caption) + "</figcaption>\n";
    const std::string name =
        html_escaped(table.caption.empty() ? "table" : table.caption.substr(0, table.caption.find("; ")));
    out += fmt::format(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table aria-label=\"{0}\">\n", name);
    out += "<thead><tr>";
    for (const Column& column : table.columns)
        out +=
            fmt::format("<th scope=\"col\"{}>{}</th>", column.alignment == Alignment::kRight ? " class=\"number\"" : "",
                        html_escaped(column.header));
    out += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) {
        out += "<tr>";
        for (std::size_t c = 0; c < row.size(); ++c) out += html_cell(row[c], table.columns[c], c == 0);
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
    if (!table.notes.empty()) {
        out += "<ul class=\"notes\">\n";
        for (const auto& note : table.notes) out += "<li>" + html_escaped(note) + "</li>\n";
        out += "</ul>\n";
    }
    return out + "</figure>\n";
}

std::string html_page(const Table& table) {
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n<title>{}</title>\n<style>\n{}</style>\n"
        "</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        html_escaped(table.caption.empty() ? "leadsweep" : table.caption), embedded::page_css, html_table(table, ""));
}

std::string latex_table(const Table& table) {
    std::string out = "% \\usepackage{booktabs,graphicx}; text in UTF-8\n\\begin{table}\n\\centering\n\\small\n";
    if (!table.caption.empty()) out += "\\caption{" + latex_escaped(table.caption) + "}\n";
    // Wider tables than the text shrink to it.
    out += "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n\\begin{tabular}{";
    for (const Column& column : table.columns) out += column.alignment == Alignment::kRight ? 'r' : 'l';
    out += "}\n\\toprule\n";
    for (std::size_t c = 0; c < table.columns.size(); ++c)
        out += (c > 0 ? " & " : "") + latex_escaped(table.columns[c].header);
    out += " \\\\\n\\midrule\n";
    for (const auto& row : table.rows) {
        for (std::size_t c = 0; c < row.size(); ++c) {
            const std::string text = latex_escaped(row[c].text);
            // A line that begins with "[" would be taken as an argument of the line break before it.
            const bool is_bracket = c == 0 && text.starts_with('[');
            out += (c > 0 ? " & " : "") + std::string(is_bracket ? "{}" : "") +
                   (row[c].is_best ? "\\textbf{" + text + "}" : text);
        }
        out += " \\\\\n";
    }
    out += "\\bottomrule\n\\end{tabular}}\n";
    if (!table.notes.empty()) {
        out += "\n\\medskip\n\\begin{minipage}{0.95\\linewidth}\\footnotesize\n";
        for (const auto& note : table.notes) out += latex_escaped(note) + "\\par\n";
        out += "\\end{minipage}\n";
    }
    return out + "\\end{table}\n";
}

}  // namespace leadsweep

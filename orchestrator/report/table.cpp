#include "orchestrator/report/table.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/report/markup.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::string_view kGap = "  ";

std::string padded(const std::string& text, std::size_t width, Alignment alignment) {
    const std::size_t shown = shown_width(text);
    const std::string space(width > shown ? width - shown : 0, ' ');
    return alignment == Alignment::kRight ? space + text : text + space;
}

/// Text on one line: line breaks would tear a row apart.
std::string on_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::replace(text.begin(), text.end(), '\r', ' ');
    return text;
}

/// Where a column has a best cell, every other cell is followed by a blank in its place, so that digits stay in line.
std::string marked(const Cell& cell, bool has_best) {
    return on_one_line(cell.text) + (cell.is_best ? "*" : has_best ? " " : "");
}

void append_line(std::string& out, std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
}

std::string render_text(const Table& table) {
    const std::size_t count = table.columns.size();
    std::vector<bool> has_best(count, false);
    for (const auto& row : table.rows)
        for (std::size_t c = 0; c < row.size(); ++c) has_best[c] = has_best[c] || row[c].is_best;
    std::vector<std::size_t> widths(count);
    for (std::size_t c = 0; c < count; ++c) widths[c] = shown_width(table.columns[c].header);
    for (const auto& row : table.rows)
        for (std::size_t c = 0; c < row.size(); ++c)
            widths[c] = std::max(widths[c], shown_width(marked(row[c], has_best[c])));

    std::string out = table.caption.empty() ? "" : table.caption + "\n\n";
    std::string header;
    std::string rule;
    for (std::size_t c = 0; c < count; ++c) {
        header += (c > 0 ? kGap : "");
        header += padded(table.columns[c].header, widths[c], table.columns[c].alignment);
        rule += (c > 0 ? kGap : "");
        for (std::size_t i = 0; i < widths[c]; ++i) rule += "─";
    }
    append_line(out, header);
    append_line(out, rule);
    for (const auto& row : table.rows) {
        std::string line;
        for (std::size_t c = 0; c < row.size(); ++c) {
            line += (c > 0 ? kGap : "");
            line += padded(marked(row[c], has_best[c]), widths[c], table.columns[c].alignment);
        }
        append_line(out, line);
    }
    if (!table.notes.empty()) out += "\n";
    for (const auto& note : table.notes) out += note + "\n";
    return out;
}

std::string markdown_field(const std::string& text) {
    std::string escaped;
    for (const char c : on_one_line(text)) {
        if (c == '|' || c == '\\' || c == '*' || c == '_' || c == '<' || c == '`') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string render_markdown(const Table& table) {
    std::string out = table.caption.empty() ? "" : markdown_field(table.caption) + "\n\n";
    std::string rule = "|";
    out += "|";
    for (const Column& column : table.columns) {
        out += " " + markdown_field(column.header) + " |";
        rule += column.alignment == Alignment::kRight ? " ---: |" : " --- |";
    }
    out += "\n" + rule + "\n";
    for (const auto& row : table.rows) {
        out += "|";
        for (const Cell& cell : row) {
            const std::string field = markdown_field(cell.text);
            out += cell.is_best ? " **" + field + "** |" : " " + field + " |";
        }
        out += "\n";
    }
    for (const auto& note : table.notes) out += "\n" + markdown_field(note) + "\n";
    return out;
}

std::string csv_value(const CellValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
    if (const auto* real = std::get_if<double>(&value)) return shortest(*real);
    if (const auto* words = std::get_if<std::string>(&value)) return csv_field(*words);
    return "";
}

std::string render_csv(const Table& table) {
    std::vector<std::string> header;
    for (const Column& column : table.columns) {
        if (column.parts.empty()) header.push_back(csv_field(column.header));
        for (const auto& part : column.parts) header.push_back(csv_field(column.header + " " + part));
    }
    std::string out;
    for (std::size_t i = 0; i < header.size(); ++i) out += (i > 0 ? "," : "") + header[i];
    out += "\r\n";
    for (const auto& row : table.rows) {
        std::string line;
        for (std::size_t c = 0; c < row.size(); ++c) {
            const std::size_t width = std::max<std::size_t>(table.columns[c].parts.size(), 1);
            for (std::size_t part = 0; part < width; ++part) {
                if (c > 0 || part > 0) line += ",";
                if (part < row[c].values.size()) line += csv_value(row[c].values[part]);
            }
        }
        out += line + "\r\n";
    }
    return out;
}

nlohmann::ordered_json json_value(const CellValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* words = std::get_if<std::string>(&value)) return *words;
    return nullptr;
}

std::string render_json(const Table& table) {
    nlohmann::ordered_json json;
    json["caption"] = table.caption;
    json["columns"] = nlohmann::ordered_json::array();
    for (const Column& column : table.columns) json["columns"].push_back(column.header);
    json["rows"] = nlohmann::ordered_json::array();
    for (const auto& row : table.rows) {
        nlohmann::ordered_json object = nlohmann::ordered_json::object();
        for (std::size_t c = 0; c < row.size(); ++c) {
            const Column& column = table.columns[c];
            nlohmann::ordered_json value = nullptr;
            if (column.parts.empty()) {
                if (!row[c].values.empty()) value = json_value(row[c].values[0]);
            } else if (!row[c].values.empty()) {
                for (std::size_t part = 0; part < column.parts.size(); ++part)
                    value[column.parts[part]] = json_value(row[c].values.at(part));
                value["is_best"] = row[c].is_best;
            }
            object[column.header] = std::move(value);
        }
        json["rows"].push_back(std::move(object));
    }
    json["notes"] = table.notes;
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

TableFormat table_format_from(std::string_view name) {
    if (name == "text") return TableFormat::kText;
    if (name == "markdown" || name == "md") return TableFormat::kMarkdown;
    if (name == "csv") return TableFormat::kCsv;
    if (name == "json") return TableFormat::kJson;
    if (name == "latex" || name == "tex") return TableFormat::kLatex;
    if (name == "html") return TableFormat::kHtml;
    throw InputError(fmt::format("unknown format '{}': known are text, markdown, csv, json, latex and html", name));
}

Cell cell_of(CellValue value) {
    Cell cell;
    if (const auto* whole = std::get_if<std::int64_t>(&value))
        cell.text = std::to_string(*whole);
    else if (const auto* real = std::get_if<double>(&value))
        cell.text = fmt::format("{:.6g}", *real);
    else if (const auto* words = std::get_if<std::string>(&value))
        cell.text = *words;
    cell.values.push_back(std::move(value));
    return cell;
}

std::string render(const Table& table, TableFormat format) {
    switch (format) {
        case TableFormat::kText:
            return render_text(table);
        case TableFormat::kMarkdown:
            return render_markdown(table);
        case TableFormat::kCsv:
            return render_csv(table);
        case TableFormat::kJson:
            return render_json(table);
        case TableFormat::kLatex:
            return latex_table(table);
        case TableFormat::kHtml:
            return html_page(table);
    }
    throw std::logic_error("unnamed table format");
}

std::size_t shown_width(std::string_view text) {
    // One column a code point: what is shown here are letters, digits, ± and †.
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_shown_before(const std::string& a, const std::string& b) {
    const auto number = [](const std::string& text) -> std::optional<double> {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        return text.empty() || *end != '\0' ? std::nullopt : std::optional(value);
    };
    const auto x = number(a);
    const auto y = number(b);
    if (x && y) return *x < *y;
    return x || y ? x.has_value() : a < b;
}

std::string shortest(double value) {
    return fmt::format("{}", value);
}

}  // namespace leadsweep

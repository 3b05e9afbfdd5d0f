#include "orchestrator/plan/label_table.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

fs::path find_table(const char* key, const std::string& file, const fs::path& records_folder,
                    const fs::path& sweep_folder) {
    std::error_code ignored;
    for (const auto& folder : {records_folder, sweep_folder})
        if (fs::is_regular_file(folder / file, ignored)) return folder / file;
    throw InputError(
        fmt::format("{}: there is no {} in {} nor in {}", key, file, records_folder.string(), sweep_folder.string()));
}

std::size_t column_of(const std::vector<std::string>& header, const std::string& name, const char* key,
                      const fs::path& file) {
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end())
        throw InputError(fmt::format("{}: {} names the column '{}', which is not there{}; columns: {}", file.string(),
                                     key, name, suggestion(name, header), fmt::join(header, ", ")));
    return static_cast<std::size_t>(found - header.begin());
}

std::vector<std::string> codes_of(std::string cell) {
    std::replace(cell.begin(), cell.end(), ',', ';');
    std::vector<std::string> codes;
    for (const auto& part : split(cell, ';')) {
        const std::string code(trim(part));
        if (!code.empty() && std::find(codes.begin(), codes.end(), code) == codes.end()) codes.push_back(code);
    }
    return codes;
}

/// A column of the table and what its cells change.
struct Overlay {
    std::size_t column;
    void (*write)(CatalogueRecord&, const std::string& cell);
};

void write_age(CatalogueRecord& record, const std::string& cell) {
    double age = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), age);
    const bool is_age = error == std::errc{} && age >= 0 && age <= 120;
    record.age_years = is_age ? std::optional(age) : std::nullopt;
}

void write_sex(CatalogueRecord& record, const std::string& cell) {
    const std::string word = to_lower(cell);
    record.sex = word == "male" || word == "m" ? "male" : word == "female" || word == "f" ? "female" : "";
}

std::vector<Overlay> overlays_of(const TableSpec& table, const std::vector<std::string>& header, const fs::path& file) {
    std::vector<Overlay> overlays;
    const auto add = [&](const std::string& name, const char* key, auto write) {
        if (!name.empty()) overlays.push_back({column_of(header, name, key, file), write});
    };
    using Record = CatalogueRecord;
    add(table.labels, "data.table.labels", [](Record& r, const std::string& cell) { r.labels = codes_of(cell); });
    add(table.patient, "data.table.patient", [](Record& r, const std::string& cell) { r.patient = cell; });
    add(table.source, "data.table.source", [](Record& r, const std::string& cell) { r.source = cell; });
    add(table.fold, "data.table.fold", [](Record& r, const std::string& cell) { r.fold = cell; });
    add(table.age, "data.table.age", write_age);
    add(table.sex, "data.table.sex", write_sex);
    return overlays;
}

/// The record's name as the catalogue has it: without "./" and ".hea".
std::string record_name(std::string_view cell) {
    std::string_view name = trim(cell);
    if (name.starts_with("./")) name.remove_prefix(2);
    if (name.ends_with(".hea")) name.remove_suffix(4);
    return std::string(name);
}

}  // namespace

TableReport apply_table(Catalogue& catalogue, const TableSpec& table, const fs::path& records_folder,
                        const fs::path& sweep_folder) {
    const fs::path file = find_table("data.table.file", table.file, records_folder, sweep_folder);
    std::string content = read_file(file);
    if (content.starts_with("\xEF\xBB\xBF")) content.erase(0, 3);  // a byte order mark, as spreadsheets write it
    std::istringstream stream(content);
    const auto header = read_csv_row(stream).value_or(std::vector<std::string>{});
    const std::size_t record_column = column_of(header, table.record, "data.table.record", file);
    const auto overlays = overlays_of(table, header, file);

    std::unordered_map<std::string, CatalogueRecord*> by_path;
    for (auto& record : catalogue.records) by_path.emplace(record.path, &record);
    std::unordered_map<std::string, std::size_t> row_of;
    TableReport report{file.string(), 0, 0};
    std::vector<std::string> problems;
    std::size_t row_number = 1;
    while (const auto row = read_csv_row(stream)) {
        ++row_number;
        if (row->size() == 1 && trim(row->front()).empty()) continue;
        if (row->size() != header.size()) {
            problems.push_back(fmt::format("{}: row {} has {} fields, the first row has {}", file.string(), row_number,
                                           row->size(), header.size()));
            continue;
        }
        const std::string name = record_name((*row)[record_column]);
        if (const auto [first, is_new] = row_of.try_emplace(name, row_number); !is_new) {
            problems.push_back(
                fmt::format("{}: record '{}' is in rows {} and {}", file.string(), name, first->second, row_number));
            continue;
        }
        const auto found = by_path.find(name);
        if (found == by_path.end()) {
            ++report.rows_without_record;
            continue;
        }
        for (const auto& [column, write] : overlays) write(*found->second, std::string(trim((*row)[column])));
    }
    if (!problems.empty()) throw InputError(problems);
    const std::size_t rows_with_record = row_of.size() - report.rows_without_record;
    report.records_without_row = catalogue.records.size() - rows_with_record;
    return report;
}

LabelSet label_set_of(const DataSpec& data, const fs::path& sweep_folder) {
    if (data.labels != "file") return label_set(data.labels);
    const fs::path file = find_table("data.label_file", data.label_file, data.records, sweep_folder);
    return label_set_from_csv(read_file(file), file.string());
}

}  // namespace leadsweep

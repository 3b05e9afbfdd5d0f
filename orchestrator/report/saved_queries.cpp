#include "orchestrator/report/saved_queries.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "embedded/report_queries.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kBuiltIn = {{
    {"means", embedded::means_sql},
    {"gains", embedded::gains_sql},
    {"classes", embedded::classes_sql},
    {"rates", embedded::rates_sql},
    {"leads", embedded::leads_sql},
    {"failures", embedded::failures_sql},
    {"progress", embedded::progress_sql},
    {"cost", embedded::cost_sql},
    {"overfitting", embedded::overfitting_sql},
    {"thresholds", embedded::thresholds_sql},
}};

SavedQuery query_of(const std::string& name, const std::string& sql, bool is_own) {
    SavedQuery query{name, "", sql, is_own};
    const std::string first = sql.substr(0, sql.find('\n'));
    if (first.starts_with("--")) query.about = trim(first.substr(2));
    return query;
}

bool is_name(const std::string& name) {
    return !name.empty() && name.size() <= 100 && name[0] != '.' && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    });
}

}  // namespace

std::string queries_folder(const std::string& database_path) {
    return database_path + ".queries";
}

std::vector<SavedQuery> saved_queries(const std::string& folder) {
    std::map<std::string, SavedQuery> found;
    for (const auto& [name, sql] : kBuiltIn)
        found[std::string(name)] = query_of(std::string(name), std::string(sql), false);
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none))
        if (entry.path().extension() == ".sql")
            found[entry.path().stem().string()] =
                query_of(entry.path().stem().string(), read_file(entry.path().string()), true);
    std::vector<SavedQuery> list;
    for (auto& [name, query] : found) list.push_back(std::move(query));
    std::stable_partition(list.begin(), list.end(), [](const SavedQuery& q) { return q.is_own; });
    return list;
}

SavedQuery find_query(const std::string& folder, const std::string& name) {
    std::vector<std::string> known;
    for (auto& query : saved_queries(folder)) {
        if (query.name == name) return query;
        known.push_back(query.name);
    }
    throw InputError(
        fmt::format("no saved query '{}'{}; `leadsweep query --list` shows them", name, suggestion(name, known)));
}

void save_query(const std::string& folder, const std::string& name, const std::string& sql) {
    if (!is_name(name))
        throw InputError(fmt::format("'{}' is no name for a query: letters, digits, - and _ are", name));
    fs::create_directories(folder);
    write_file_durably(fmt::format("{}/{}.sql", folder, name), sql + "\n");
}

}  // namespace leadsweep

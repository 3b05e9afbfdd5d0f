#include "orchestrator/plan/catalogue_source.hpp"

#include <algorithm>
#include <cerrno>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <sys/stat.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/sources.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeaderExtension = ".hea";

/// Lists folders depth first, each once however many links lead to it. Links come last, so that what lies below the
/// records folder goes by its own path.
class FolderLister {
public:
    void list_all(const fs::path& folder) {
        list(folder, "");
        for (std::size_t i = 0; i < links_.size(); ++i) {
            const auto [path, relative] = links_[i];
            list(path, relative);
        }
    }
    std::vector<std::string> files;

private:
    void list(const fs::path& folder, const std::string& relative) {
        struct stat status {};
        if (::stat(folder.c_str(), &status) != 0) throw FileError(folder.string(), errno, "look at the folder");
        if (!seen_.emplace(status.st_dev, status.st_ino).second) return;
        std::error_code error;
        std::vector<fs::directory_entry> entries;
        for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
            entries.push_back(*it);
        if (error) throw FileError(folder.string(), error.value(), "list the folder");
        std::sort(entries.begin(), entries.end());
        for (const auto& entry : entries) {
            const std::string name = entry.path().filename().string();
            const std::string path = relative.empty() ? name : relative + "/" + name;
            std::error_code ignored;  // a dangling link is neither
            if (entry.is_directory(ignored) && entry.is_symlink(ignored))
                links_.emplace_back(entry.path(), path);
            else if (entry.is_directory(ignored))
                list(entry.path(), path);
            else if (entry.is_regular_file(ignored))
                files.push_back(path);
        }
    }
    std::set<std::pair<dev_t, ino_t>> seen_;
    std::vector<std::pair<fs::path, std::string>> links_;  ///< to folders, with their paths below the records folder
};

bool is_unchanged(const std::string& folder, const SurveyedFile& file) {
    struct stat status {};
    if (::stat((folder + "/" + file.path).c_str(), &status) != 0) return false;
    const std::int64_t modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
    return status.st_size == file.size_bytes && modified_ns == file.modified_ns;
}

/// Whether a file "<record>.<anything>" lies there that the survey of `record` did not have.
bool has_new_file(const ScannedFolder& scanned, const CatalogueRecord& record) {
    const std::string stem = record.path + ".";
    for (auto file = std::lower_bound(scanned.files.begin(), scanned.files.end(), stem);
         file != scanned.files.end() && file->starts_with(stem); ++file)
        if (std::none_of(record.files.begin(), record.files.end(),
                         [&](const auto& known) { return known.path == *file; }))
            return true;
    return false;
}

std::unordered_map<std::string, const CatalogueRecord*> records_by_path(const Catalogue& catalogue) {
    std::unordered_map<std::string, const CatalogueRecord*> by_path;
    for (const auto& record : catalogue.records) by_path.emplace(record.path, &record);
    return by_path;
}

nlohmann::json synthetic_settings(const DataSpec& data) {
    JobSpec spec;
    spec.data = data;
    return to_json(spec).at("data").at("synthetic");
}

}  // namespace

ScannedFolder scan_records_folder(const fs::path& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error))
        throw InputError(fmt::format(
            "data.records: there is no folder {}: correct data.records, or give it by --set data.records=FOLDER",
            folder.string()));
    FolderLister lister;
    lister.list_all(folder);
    ScannedFolder scanned{folder.string(), {}, std::move(lister.files)};
    std::sort(scanned.files.begin(), scanned.files.end());
    for (const auto& file : scanned.files)
        if (file.ends_with(kHeaderExtension))
            scanned.records.push_back(file.substr(0, file.size() - kHeaderExtension.size()));
    std::sort(scanned.records.begin(), scanned.records.end());
    const bool is_folder_bad = find_bad_utf8(scanned.folder).has_value();
    for (const auto& record : scanned.records)
        if (is_folder_bad || find_bad_utf8(record))
            throw InputError(fmt::format("data.records: {}{}: the name is not UTF-8: rename it, or its folder",
                                         as_utf8((folder / record).string()), kHeaderExtension));
    if (scanned.records.empty())
        throw InputError(fmt::format("data.records: no WFDB header (*.hea) lies below {} ({} other files)",
                                     folder.string(), scanned.files.size()));
    return scanned;
}

SurveyNeed compare_with_cached(const ScannedFolder& scanned, const Catalogue& cached) {
    const auto by_path = records_by_path(cached);
    SurveyNeed need;
    for (const auto& path : scanned.records) {
        const auto found = by_path.find(path);
        const bool is_kept = found != by_path.end() && !found->second->files.empty() &&
                             std::all_of(found->second->files.begin(), found->second->files.end(),
                                         [&](const auto& file) { return is_unchanged(scanned.folder, file); }) &&
                             (found->second->is_usable() || !has_new_file(scanned, *found->second));
        if (is_kept)
            ++need.kept;
        else
            need.headers.push_back(path + std::string(kHeaderExtension));
    }
    for (const auto& record : cached.records)
        need.gone += std::binary_search(scanned.records.begin(), scanned.records.end(), record.path) ? 0 : 1;
    return need;
}

Catalogue merge_catalogues(const Catalogue& cached, const Catalogue& surveyed, const ScannedFolder& scanned) {
    const auto new_records = records_by_path(surveyed);
    const auto old_records = records_by_path(cached);
    Catalogue merged;
    merged.records.reserve(scanned.records.size());
    for (const auto& path : scanned.records) {
        auto found = new_records.find(path);
        if (found == new_records.end()) {
            found = old_records.find(path);
            if (found == old_records.end())
                throw InputError(fmt::format("{}/{}.hea: the survey did not report this record", scanned.folder, path));
        }
        merged.records.push_back(*found->second);
    }
    name_sources(merged);  // what is new may show which folder tells databases apart
    return merged;
}

nlohmann::json survey_request(const DataSpec& data, const std::vector<std::string>& headers) {
    nlohmann::json request = {{"records_folder", data.records}, {"headers", headers}};
    if (data.synthetic.patients > 0) request["synthetic"] = synthetic_settings(data);
    return request;
}

Catalogue fresh_catalogue(const DataSpec& data, const std::optional<Catalogue>& cached,
                          const std::function<Catalogue(const nlohmann::json& request)>& survey) {
    if (data.synthetic.patients > 0) return cached ? *cached : survey(survey_request(data, {}));
    const ScannedFolder scanned = scan_records_folder(data.records);
    const Catalogue known = cached.value_or(Catalogue{});
    const SurveyNeed need = compare_with_cached(scanned, known);
    if (need.is_fresh()) return known;
    const Catalogue surveyed = need.headers.empty() ? Catalogue{} : survey(survey_request(data, need.headers));
    return merge_catalogues(known, surveyed, scanned);
}

std::string source_of(const DataSpec& data) {
    if (data.synthetic.patients > 0) return "synthetic " + synthetic_settings(data).dump();
    return "records " + data.records;
}

}  // namespace leadsweep

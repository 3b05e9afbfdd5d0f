// Where a catalogue comes from: which records lie in the folder, which of them a cached catalogue still describes, and
// what a worker must survey. Stats files and lists folders; it opens no record.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "shared/ecg/catalogue.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// The headers below a records folder, without opening them.
struct ScannedFolder {
    std::string folder;
    std::vector<std::string> records;  ///< paths below the folder without ".hea", sorted
    std::vector<std::string> files;    ///< all files below the folder, sorted
};

/// Lists the folder recursively. A folder reached twice through symbolic links is listed once. Throws InputError where
/// it is missing or holds no header, FileError where a folder in it cannot be listed.
ScannedFolder scan_records_folder(const std::filesystem::path& folder);

/// What separates a cached catalogue from the folder as it is.
struct SurveyNeed {
    std::vector<std::string> headers;  ///< new or changed, relative ".hea" paths, sorted
    std::size_t kept = 0;              ///< records the cached catalogue still describes
    std::size_t gone = 0;              ///< records of the cached catalogue that are no longer there
    bool is_fresh() const { return headers.empty() && gone == 0; }
};

/// Compares size and modification time of every file of every cached record. A record with a problem is surveyed again
/// also when a file of its name has come that it did not have.
SurveyNeed compare_with_cached(const ScannedFolder& scanned, const Catalogue& cached);

/// Records of `scanned`: those of `surveyed` where there are, else those of `cached`; sorted by path.
/// Throws InputError naming a record that is in neither.
Catalogue merge_catalogues(const Catalogue& cached, const Catalogue& surveyed, const ScannedFolder& scanned);

/// What `leadsweep-worker survey` reads: {"records_folder", "headers"} or, for generated records, {"records_folder":
/// "", "headers": [], "synthetic": {the keys below data.synthetic}}.
nlohmann::json survey_request(const DataSpec& data, const std::vector<std::string>& headers);

/// The whole way: scan, compare, survey what changed (`survey` runs a worker with the request), merge. Generated
/// records are surveyed unless `cached` is there: the caller keeps one cache for each different source_of(data).
Catalogue fresh_catalogue(const DataSpec& data, const std::optional<Catalogue>& cached,
                          const std::function<Catalogue(const nlohmann::json& request)>& survey);

/// Text that is equal for data settings whose records are the same ones: names a cached catalogue.
std::string source_of(const DataSpec& data);

}  // namespace leadsweep

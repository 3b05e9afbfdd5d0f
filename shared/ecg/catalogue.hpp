// The catalogue: what is known of every record without opening it again. Made by `leadsweep-worker survey`; folds, pack
// contents and the data digest come from it alone.
//
// File: JSON Lines. First line {"catalogue": 1, "label_source": ..., ...}; then one record a line, sorted by path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace leadsweep {

/// A file as it was when it was surveyed: another size or time means that the record must be surveyed again.
struct SurveyedFile {
    std::string path;  ///< relative to the records folder
    std::int64_t size_bytes = 0;
    std::int64_t modified_ns = 0;  ///< since the epoch
};

struct CatalogueRecord {
    std::string path;                 ///< relative to the records folder, without extension; names the record
    std::vector<SurveyedFile> files;  ///< header and signal files; empty for synthetic records
    std::string source;               ///< its database (sources.hpp); "" if not known
    double sampling_hz = 0;
    std::int64_t samples = 0;         ///< per lead, at the native rate
    std::vector<std::string> leads;   ///< as named in the header
    std::vector<std::string> labels;  ///< diagnosis codes as found, known or not, each once
    std::vector<std::string> words;   ///< diagnoses that are no codes ("NORM"): no labels
    std::string patient;              ///< "" if not known
    std::optional<double> age_years;
    std::string sex;                   ///< "male", "female" or ""
    std::string fold;                  ///< of data.table.fold; "" if there is none
    std::string signal_digest;         ///< SHA-256 of the decoded samples of all leads
    std::int64_t missing_samples = 0;  ///< the format's mark, -32768 in format 16
    std::int64_t constant_leads = 0;
    std::int64_t saturated_leads = 0;  ///< that stay at their largest or smallest value for long
    std::vector<std::string> repairs;  ///< what is repaired when the record is used, for people
    std::string problem;               ///< why the record cannot be used; "" if it can

    bool is_usable() const { return problem.empty(); }
};

struct Catalogue {
    std::vector<CatalogueRecord> records;  ///< sorted by path
};

/// Digest of paths, signal digests, labels and patients of the usable records: independent of where the folder lies, of
/// file times and of the order in which records were surveyed.
std::string digest_of(const Catalogue& catalogue);

nlohmann::json to_json(const CatalogueRecord& record);
CatalogueRecord catalogue_record_from_json(const nlohmann::json& json);

/// Durable. Throws FileError.
void save_catalogue(const Catalogue& catalogue, const std::string& path);
/// Throws FileError, or InputError naming the line.
Catalogue load_catalogue(const std::string& path);

}  // namespace leadsweep

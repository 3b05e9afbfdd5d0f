// The survey: opens every record once and tells what the catalogue (shared/ecg/catalogue.hpp) keeps of it. A record
// that cannot be read never stops it; folds, tables and label mapping are not its business.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "shared/ecg/catalogue.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// What to survey: header files of a folder, or, with synthetic.patients > 0, generated records.
struct SurveyRequest {
    std::string records_folder;
    std::vector<std::string> headers;  ///< relative to records_folder, with extension .hea
    SyntheticSpec synthetic;
};

/// JSON: records_folder, headers (a list), synthetic (as data.synthetic of a sweep file); missing ones are empty.
nlohmann::json to_json(const SurveyRequest& request);
/// Throws InputError.
SurveyRequest survey_request_from_json(const nlohmann::json& json);

/// Called after every record with records done and records in all; by one thread at a time.
using SurveyProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Surveys all records; the result is sorted by path. What is wrong with a record goes into its `problem`. A signal
/// file that is missing is listed with size -1. signal_digest: SHA-256 of the ADC values of all leads in the header's
/// order, [L, N] as int32 (so it does not depend on the file format); of the float32 µV for generated records.
/// Sources are named from these records alone (shared/ecg/sources.hpp).
std::vector<CatalogueRecord> survey(const SurveyRequest& request, const SurveyProgress& progress, int threads = 1);

/// Compares the files of a surveyed record with the disk. Throws InputError if one has changed since the survey.
void require_unchanged(const CatalogueRecord& record, const std::filesystem::path& records_folder);

/// `leadsweep-worker survey`: reads the request from a file and writes the catalogue durably. Shows progress by
/// shared/core/log. Returns an exit code; throws InputError, FileError.
int run_survey(const std::string& request_path, const std::string& catalogue_path);

}  // namespace leadsweep

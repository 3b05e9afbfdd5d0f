#include "worker/dataset/survey.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "worker/dataset/synthetic.hpp"
#include "worker/dataset/wfdb_record.hpp"

namespace leadsweep {
namespace {

/// A file as it is now; size -1 if it is not there.
SurveyedFile look_at(const std::filesystem::path& folder, const std::string& path) {
    struct stat status {};
    if (::stat((folder / path).c_str(), &status) != 0) return {path, -1, 0};
    return {path, status.st_size, status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec};
}

template <class Value>
std::string digest_of_values(const std::vector<Value>& values) {
    return sha256(std::as_bytes(std::span<const Value>(values)));
}

/// Everything but labels and repairs that needs the samples.
void describe_signals(const WfdbRecord& read, CatalogueRecord& record) {
    record.samples = read.samples;
    record.signal_digest = digest_of_values(read.digital);
    std::vector<std::string> constant;
    std::vector<std::string> without_unit;
    std::vector<std::string> without_gain;
    for (std::size_t i = 0; i < read.summaries.size(); ++i) {
        const auto& signal = read.header.signals[i];
        record.missing_samples += read.summaries[i].missing_samples;
        if (read.summaries[i].is_constant()) constant.push_back(signal.lead);
        if (signal.unit == PhysicalUnit::kNone) without_unit.push_back(signal.lead);
        if (signal.is_gain_missing) without_gain.push_back(signal.lead);
    }
    record.constant_leads = static_cast<std::int64_t>(constant.size());
    if (record.missing_samples > 0)
        record.repairs.push_back(fmt::format("{} missing samples: interpolated", record.missing_samples));
    if (!constant.empty()) record.repairs.push_back(fmt::format("constant leads: {}", fmt::join(constant, ", ")));
    if (!without_unit.empty()) record.repairs.emplace_back("unit NU: read as mV");
    if (!without_gain.empty()) record.repairs.emplace_back("no gain: 200 per mV assumed");
}

/// What the header alone tells, also where the signals cannot be read.
void describe_header(const WfdbHeader& header, CatalogueRecord& record) {
    record.sampling_hz = header.sampling_hz;
    record.samples = header.samples;
    record.labels = header.labels;
    record.patient = header.patient;
    for (const auto& signal : header.signals) record.leads.push_back(signal.lead);
}

CatalogueRecord survey_record(const std::filesystem::path& folder, const std::string& header_file) {
    CatalogueRecord record;
    const std::filesystem::path relative(header_file);
    record.path = (relative.parent_path() / relative.stem()).generic_string();
    const auto slash = record.path.find('/');
    if (slash != std::string::npos) record.source = record.path.substr(0, slash);
    record.files.push_back(look_at(folder, header_file));
    try {
        const std::string name = (folder / header_file).string();
        const WfdbHeader header = parse_wfdb_header(read_file(folder / header_file), name);
        describe_header(header, record);
        for (const auto& file : signal_files(header, relative.parent_path()))
            record.files.push_back(look_at(folder, file.generic_string()));
        describe_signals(read_wfdb_record(folder / header_file), record);
    } catch (const Error& error) {
        record.problem = error.what();
    }
    return record;
}

CatalogueRecord survey_synthetic(const SyntheticSpec& spec, std::int64_t index) {
    const SyntheticRecord made = make_synthetic_record(spec, index);
    CatalogueRecord record;
    record.path = made.path;
    record.source = "synthetic";
    record.sampling_hz = made.sampling_hz;
    record.samples = made.samples;
    record.leads = standard_lead_names();
    record.labels = made.labels;
    record.patient = made.patient;
    record.signal_digest = digest_of_values(made.signal);
    return record;
}

}  // namespace

nlohmann::json to_json(const SurveyRequest& request) {
    JobSpec spec;
    spec.data.synthetic = request.synthetic;
    return {{"records_folder", request.records_folder},
            {"headers", request.headers},
            {"synthetic", to_json(spec).at("data").at("synthetic")}};
}

SurveyRequest survey_request_from_json(const nlohmann::json& json) {
    SurveyRequest request;
    try {
        if (json.contains("records_folder")) json.at("records_folder").get_to(request.records_folder);
        if (json.contains("headers")) json.at("headers").get_to(request.headers);
        if (json.contains("synthetic"))
            request.synthetic = job_spec_from_json({{"data", {{"synthetic", json.at("synthetic")}}}}).data.synthetic;
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("survey request: {}", error.what()));
    }
    return request;
}

std::vector<CatalogueRecord> survey(const SurveyRequest& request, const SurveyProgress& progress) {
    const bool is_synthetic = request.synthetic.patients > 0;
    const auto total =
        is_synthetic ? synthetic_record_count(request.synthetic) : static_cast<std::int64_t>(request.headers.size());
    std::vector<CatalogueRecord> records;
    for (std::int64_t i = 0; i < total; ++i) {
        records.push_back(is_synthetic
                              ? survey_synthetic(request.synthetic, i)
                              : survey_record(request.records_folder, request.headers[static_cast<std::size_t>(i)]));
        if (progress) progress(i + 1, total);
    }
    std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return records;
}

void require_unchanged(const CatalogueRecord& record, const std::filesystem::path& records_folder) {
    for (const auto& file : record.files) {
        const auto now = look_at(records_folder, file.path);
        if (now.size_bytes != file.size_bytes || now.modified_ns != file.modified_ns)
            throw InputError(fmt::format("{}: {} since it was surveyed: survey the data again",
                                         (records_folder / file.path).string(),
                                         now.size_bytes < 0 ? "was removed" : "has changed"));
    }
}

int run_survey(const std::string& request_path, const std::string& catalogue_path) {
    nlohmann::json json;
    try {
        json = nlohmann::json::parse(read_file(request_path));
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{}: no survey request: {}", request_path, error.what()));
    }
    const auto request = survey_request_from_json(json);
    constexpr std::int64_t kShownEvery = 1000;
    Catalogue catalogue;
    catalogue.records = survey(request, [](std::int64_t done, std::int64_t total) {
        if (done % kShownEvery == 0) log::info("surveyed {} of {} records", done, total);
    });
    const auto unusable =
        std::count_if(catalogue.records.begin(), catalogue.records.end(), [](const auto& r) { return !r.is_usable(); });
    log::info("surveyed {} records, {} cannot be used", catalogue.records.size(), unusable);
    save_catalogue(catalogue, catalogue_path);
    return kExitDone;
}

}  // namespace leadsweep

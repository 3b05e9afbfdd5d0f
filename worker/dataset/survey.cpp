#include "worker/dataset/survey.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/leads.hpp"
#include "shared/ecg/sources.hpp"
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

/// A recorder that reached the end of its range stays there: so long at the largest or the smallest value.
constexpr double kSaturated_s = 0.04;
/// Above this no heart gets; a gain that is wrong by a factor does.
constexpr double kLargestPlausible_uv = 50000;

bool is_saturated(std::span<const std::int32_t> samples, const LeadSummary& summary, std::int32_t missing,
                  double sampling_hz) {
    if (summary.is_constant()) return false;
    const auto enough = std::max<std::int64_t>(5, std::llround(kSaturated_s * sampling_hz));
    std::int64_t current = 0;
    std::int32_t last = 0;
    for (const std::int32_t value : samples) {
        const bool is_extreme = value != missing && (value == summary.minimum || value == summary.maximum);
        current = !is_extreme ? 0 : (current > 0 && value == last) ? current + 1 : 1;
        if (current >= enough) return true;
        last = value;
    }
    return false;
}

/// Distance of the samples from each other, not from 0: a constant offset says nothing of the gain.
double largest_microvolt(const WfdbRecord& read, std::size_t lead) {
    const LeadSummary& summary = read.summaries[lead];
    if (summary.missing_samples > 0) return 0;
    return std::abs((static_cast<double>(summary.maximum) - summary.minimum) *
                    microvolt_per_step(read.header.signals[lead]));
}

/// Everything but labels and repairs that needs the samples.
void describe_signals(const WfdbRecord& read, CatalogueRecord& record) {
    record.samples = read.samples;
    record.sampling_hz = read.sampling_hz;
    record.signal_digest = digest_of_values(read.digital);
    std::vector<std::string> constant;
    std::vector<std::string> without_unit;
    std::vector<std::string> without_gain;
    std::vector<std::string> saturated;
    std::vector<std::string> implausible;
    for (std::size_t i = 0; i < read.summaries.size(); ++i) {
        const auto& signal = read.header.signals[i];
        const auto samples = read.lead(static_cast<std::int64_t>(i));
        if (is_saturated(samples, read.summaries[i], missing_value(signal), read.sampling_hz))
            saturated.push_back(signal.lead);
        if (find_lead(signal.lead) && largest_microvolt(read, i) > kLargestPlausible_uv)
            implausible.push_back(signal.lead);
        record.missing_samples += read.summaries[i].missing_samples;
        if (read.summaries[i].is_constant()) constant.push_back(signal.lead);
        if (signal.unit == PhysicalUnit::kNone) without_unit.push_back(signal.lead);
        if (signal.is_gain_missing) without_gain.push_back(signal.lead);
    }
    record.constant_leads = static_cast<std::int64_t>(constant.size());
    record.saturated_leads = static_cast<std::int64_t>(saturated.size());
    record.repairs = read.repairs;
    if (record.missing_samples > 0) record.repairs.push_back(fmt::format("{} missing samples", record.missing_samples));
    if (!saturated.empty()) record.repairs.push_back(fmt::format("saturated leads: {}", fmt::join(saturated, ", ")));
    if (!implausible.empty())
        record.repairs.push_back(fmt::format("amplitudes above {} mV: {}: is the gain right?",
                                             kLargestPlausible_uv / 1000, fmt::join(implausible, ", ")));
    if (!constant.empty()) record.repairs.push_back(fmt::format("constant leads: {}", fmt::join(constant, ", ")));
    if (!without_unit.empty()) record.repairs.emplace_back("unit NU: read as mV");
    if (!without_gain.empty()) record.repairs.emplace_back("no gain: 200 per mV assumed");
}

/// What the header alone tells, also where the signals cannot be read.
void describe_header(const WfdbHeader& header, CatalogueRecord& record) {
    record.sampling_hz = header.sampling_hz;
    record.samples = header.samples;
    record.labels = header.labels;
    record.words = header.unmapped_labels;
    record.patient = header.patient;
    record.age_years = header.age_years;
    record.sex = header.sex;
    for (const auto& signal : header.signals) record.leads.push_back(signal.lead);
}

CatalogueRecord survey_record(const std::filesystem::path& folder, const std::string& header_file) {
    CatalogueRecord record;
    const std::filesystem::path relative(header_file);
    record.path = (relative.parent_path() / relative.stem()).generic_string();
    record.files.push_back(look_at(folder, header_file));
    try {
        const std::string name = (folder / header_file).string();
        const WfdbHeader header = parse_wfdb_header(read_file(folder / header_file), name);
        describe_header(header, record);
        for (const auto& file : signal_files(header, relative.parent_path()))
            record.files.push_back(look_at(folder, file.generic_string()));
        describe_signals(read_wfdb_record(folder / header_file), record);
    } catch (const Error& error) {
        record.problem = as_utf8(error.what());
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

std::vector<CatalogueRecord> survey(const SurveyRequest& request, const SurveyProgress& progress, int threads) {
    const bool is_synthetic = request.synthetic.patients > 0;
    const auto total =
        is_synthetic ? synthetic_record_count(request.synthetic) : static_cast<std::int64_t>(request.headers.size());
    Catalogue catalogue;
    catalogue.records.resize(static_cast<std::size_t>(total));
    std::atomic<std::int64_t> next = 0;
    std::int64_t done = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
        try {
            for (std::int64_t i = next++; i < total; i = next++) {
                const auto index = static_cast<std::size_t>(i);
                catalogue.records[index] = is_synthetic ? survey_synthetic(request.synthetic, i)
                                                        : survey_record(request.records_folder, request.headers[index]);
                const std::lock_guard lock(mutex);
                ++done;
                if (progress) progress(done, total);
            }
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
            next = total;
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (int i = 1; i < threads; ++i) helpers.emplace_back(work);
        work();
    }
    if (failure) std::rethrow_exception(failure);
    std::sort(catalogue.records.begin(), catalogue.records.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    if (!is_synthetic) name_sources(catalogue);
    return std::move(catalogue.records);
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
    catalogue.records = survey(
        request,
        [](std::int64_t done, std::int64_t total) {
            if (done % kShownEvery == 0) log::info("surveyed {} of {} records", done, total);
        },
        static_cast<int>(std::thread::hardware_concurrency()));
    const auto unusable =
        std::count_if(catalogue.records.begin(), catalogue.records.end(), [](const auto& r) { return !r.is_usable(); });
    log::info("surveyed {} records, {} cannot be used", catalogue.records.size(), unusable);
    save_catalogue(catalogue, catalogue_path);
    return kExitDone;
}

}  // namespace leadsweep

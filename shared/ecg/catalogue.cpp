#include "shared/ecg/catalogue.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"

namespace leadsweep {
namespace {

constexpr int kCatalogueVersion = 2;

}  // namespace

std::string digest_of(const Catalogue& catalogue) {
    Sha256 digest;
    for (const CatalogueRecord& record : catalogue.records) {
        if (!record.is_usable()) continue;
        auto labels = record.labels;
        std::sort(labels.begin(), labels.end());
        const std::string line = nlohmann::json{record.path, record.signal_digest, record.sampling_hz, record.samples,
                                                labels,      record.patient}
                                     .dump() +
                                 '\n';
        digest.update(line.data(), line.size());
    }
    return digest.finish();
}

nlohmann::json to_json(const CatalogueRecord& record) {
    nlohmann::json files = nlohmann::json::array();
    for (const auto& file : record.files) files.push_back({file.path, file.size_bytes, file.modified_ns});
    return {{"path", record.path},
            {"files", files},
            {"source", record.source},
            {"sampling_hz", record.sampling_hz},
            {"samples", record.samples},
            {"leads", record.leads},
            {"labels", record.labels},
            {"words", record.words},
            {"patient", record.patient},
            {"age_years", record.age_years ? nlohmann::json(*record.age_years) : nlohmann::json()},
            {"sex", record.sex},
            {"fold", record.fold},
            {"signal_digest", record.signal_digest},
            {"missing_samples", record.missing_samples},
            {"constant_leads", record.constant_leads},
            {"saturated_leads", record.saturated_leads},
            {"repairs", record.repairs},
            {"problem", record.problem}};
}

CatalogueRecord catalogue_record_from_json(const nlohmann::json& json) {
    CatalogueRecord record;
    for (const auto& file : json.at("files"))
        record.files.push_back(
            {file.at(0).get<std::string>(), file.at(1).get<std::int64_t>(), file.at(2).get<std::int64_t>()});
    json.at("path").get_to(record.path);
    json.at("source").get_to(record.source);
    json.at("sampling_hz").get_to(record.sampling_hz);
    json.at("samples").get_to(record.samples);
    json.at("leads").get_to(record.leads);
    json.at("labels").get_to(record.labels);
    json.at("words").get_to(record.words);
    json.at("patient").get_to(record.patient);
    if (!json.at("age_years").is_null()) record.age_years = json.at("age_years").get<double>();
    json.at("sex").get_to(record.sex);
    json.at("fold").get_to(record.fold);
    json.at("signal_digest").get_to(record.signal_digest);
    json.at("missing_samples").get_to(record.missing_samples);
    json.at("constant_leads").get_to(record.constant_leads);
    json.at("saturated_leads").get_to(record.saturated_leads);
    json.at("repairs").get_to(record.repairs);
    json.at("problem").get_to(record.problem);
    return record;
}

void save_catalogue(const Catalogue& catalogue, const std::string& path) {
    std::string text = nlohmann::json{{"catalogue", kCatalogueVersion}, {"records", catalogue.records.size()}}.dump();
    text += '\n';
    // Header bytes need not be UTF-8: what is not is shown by its replacement character.
    for (const auto& record : catalogue.records)
        text += to_json(record).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
    write_file_durably(path, text);
}

Catalogue load_catalogue(const std::string& path) {
    std::istringstream stream(read_file(path));
    Catalogue catalogue;
    std::string line;
    std::size_t number = 0;
    std::size_t expected = 0;
    try {
        while (std::getline(stream, line)) {
            ++number;
            const auto json = nlohmann::json::parse(line);
            if (number > 1) {
                catalogue.records.push_back(catalogue_record_from_json(json));
                continue;
            }
            if (json.at("catalogue").get<int>() != kCatalogueVersion)
                throw InputError(fmt::format("{}: made by another version of leadsweep", path));
            expected = json.at("records").get<std::size_t>();
        }
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{}:{}: no catalogue: {}", path, number, error.what()));
    }
    if (number == 0 || catalogue.records.size() != expected)
        throw InputError(fmt::format("{}: {} of {} records found, the file is torn: delete it, it is made anew", path,
                                     catalogue.records.size(), expected));
    return catalogue;
}

}  // namespace leadsweep

#include "shared/ecg/catalogue.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/json_values.hpp"

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
        record.files.push_back({file.at(0).get<std::string>(), whole_number<std::int64_t>(file.at(1)),
                                whole_number<std::int64_t>(file.at(2))});
    read_value(json.at("path"), record.path);
    read_value(json.at("source"), record.source);
    read_value(json.at("sampling_hz"), record.sampling_hz);
    read_value(json.at("samples"), record.samples);
    read_value(json.at("leads"), record.leads);
    read_value(json.at("labels"), record.labels);
    read_value(json.at("words"), record.words);
    read_value(json.at("patient"), record.patient);
    read_value(json.at("age_years"), record.age_years);
    read_value(json.at("sex"), record.sex);
    read_value(json.at("fold"), record.fold);
    read_value(json.at("signal_digest"), record.signal_digest);
    read_value(json.at("missing_samples"), record.missing_samples);
    read_value(json.at("constant_leads"), record.constant_leads);
    read_value(json.at("saturated_leads"), record.saturated_leads);
    read_value(json.at("repairs"), record.repairs);
    read_value(json.at("problem"), record.problem);
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
            if (whole_number<int>(json.at("catalogue")) != kCatalogueVersion)
                throw InputError(fmt::format("{}: made by another version of leadsweep", path));
            expected = whole_number<std::size_t>(json.at("records"));
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

#include "shared/job/job_result.hpp"

#include <cstddef>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/cbor.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/json_values.hpp"

namespace leadsweep {
namespace {

using Json = nlohmann::json;

/// The fields of a row in the order of its array in the file.
template <class Row>
constexpr int kFields = 0;  // no row: does not compile
template <>
constexpr std::tuple kFields<Metric> = {&Metric::split, &Metric::class_code, &Metric::name, &Metric::value,
                                        &Metric::n_positive};
template <>
constexpr std::tuple kFields<Epoch> = {&Epoch::epoch,       &Epoch::train_loss,    &Epoch::validation_loss,
                                       &Epoch::macro_auroc, &Epoch::macro_f1,      &Epoch::learning_rate,
                                       &Epoch::seconds,     &Epoch::records_per_s, &Epoch::is_best};
template <>
constexpr std::tuple kFields<LeadImportance> = {
    &LeadImportance::class_code,     &LeadImportance::lead,     &LeadImportance::segment, &LeadImportance::importance,
    &LeadImportance::magnitude,      &LeadImportance::sd,       &LeadImportance::n,       &LeadImportance::r2,
    &LeadImportance::sign_agreement, &LeadImportance::n_dropped};
template <>
constexpr std::tuple kFields<Artifact> = {&Artifact::kind, &Artifact::path, &Artifact::digest, &Artifact::size_bytes};

template <class T>
Json json_of(const T& value) {
    return value;
}
template <class T>
Json json_of(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

template <class Row>
Json rows_of(const std::vector<Row>& rows) {
    Json json = Json::array();
    for (const Row& row : rows)
        std::apply([&](auto... field) { json.push_back(Json::array({json_of(row.*field)...})); }, kFields<Row>);
    return json;
}

template <class Row>
void read_rows(const Json& json, std::vector<Row>& rows) {
    for (const Json& fields : json) {
        Row& row = rows.emplace_back();
        std::size_t index = 0;
        std::apply([&](auto... field) { (read_value(fields.at(index++), row.*field), ...); }, kFields<Row>);
    }
}

}  // namespace

nlohmann::json to_json(const JobResult& r) {
    return {{"metrics", rows_of(r.metrics)},
            {"epochs", rows_of(r.epochs)},
            {"lead_importance", rows_of(r.lead_importance)},
            {"artifacts", rows_of(r.artifacts)},
            {"n_train", r.n_train},
            {"n_validation", r.n_validation},
            {"n_test", r.n_test},
            {"n_classes", r.n_classes},
            {"train_seconds", r.train_seconds},
            {"explain_seconds", r.explain_seconds},
            {"is_reused", r.is_reused},
            {"notes", r.notes}};
}

JobResult job_result_from_json(const nlohmann::json& json) {
    JobResult r;
    read_rows(json.at("metrics"), r.metrics);
    read_rows(json.at("epochs"), r.epochs);
    read_rows(json.at("lead_importance"), r.lead_importance);
    read_rows(json.at("artifacts"), r.artifacts);
    read_value(json.at("n_train"), r.n_train);
    read_value(json.at("n_validation"), r.n_validation);
    read_value(json.at("n_test"), r.n_test);
    read_value(json.at("n_classes"), r.n_classes);
    read_value(json.at("train_seconds"), r.train_seconds);
    read_value(json.at("explain_seconds"), r.explain_seconds);
    read_value(json.at("is_reused"), r.is_reused);
    read_value(json.at("notes"), r.notes);
    return r;
}

std::string write_job_result(const JobResult& result, const std::string& path) {
    const auto bytes = Json::to_cbor(to_json(result));
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    write_file_durably(path, text);
    return sha256(text);
}

JobResult read_job_result(const std::string& path, const std::string& expected_digest) {
    const std::string bytes = read_file(path);
    if (const std::string found = sha256(bytes); found != expected_digest)
        throw InputError(fmt::format("{}: digest {} where the worker reported {}: the file was changed or torn", path,
                                     found, expected_digest));
    try {
        return job_result_from_json(parse_cbor(bytes));
    } catch (const Json::exception& error) {
        throw InputError(fmt::format("{}: no result: {}", path, error.what()));
    }
}

}  // namespace leadsweep

#include "shared/job/job_result.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/cbor.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"

namespace leadsweep {
namespace {

nlohmann::json optional_to_json(const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

std::optional<double> optional_from_json(const nlohmann::json& json) {
    return json.is_null() ? std::nullopt : std::optional<double>(json.get<double>());
}

nlohmann::json row_of(const Metric& m) {
    return {m.split, m.class_code, m.name, optional_to_json(m.value), m.n_positive};
}
nlohmann::json row_of(const Epoch& e) {
    return {e.epoch,
            e.train_loss,
            optional_to_json(e.validation_loss),
            optional_to_json(e.macro_auroc),
            optional_to_json(e.macro_f1),
            e.learning_rate,
            e.seconds,
            e.records_per_s,
            e.is_best};
}
nlohmann::json row_of(const LeadImportance& i) {
    return {i.class_code,           i.lead,           i.segment,  i.importance, i.magnitude, i.sd, i.n,
            optional_to_json(i.r2), i.sign_agreement, i.n_dropped};
}
nlohmann::json row_of(const Artifact& a) {
    return {a.kind, a.path, a.digest, a.size_bytes};
}

void read_row(const nlohmann::json& row, Metric& m) {
    m = {row.at(0), row.at(1), row.at(2), optional_from_json(row.at(3)), row.at(4)};
}
void read_row(const nlohmann::json& row, Epoch& e) {
    e = {row.at(0),
         row.at(1),
         optional_from_json(row.at(2)),
         optional_from_json(row.at(3)),
         optional_from_json(row.at(4)),
         row.at(5),
         row.at(6),
         row.at(7),
         row.at(8)};
}
void read_row(const nlohmann::json& row, LeadImportance& i) {
    i = {row.at(0), row.at(1), row.at(2), row.at(3), row.at(4), row.at(5), row.at(6), optional_from_json(row.at(7)),
         row.at(8), row.at(9)};
}
void read_row(const nlohmann::json& row, Artifact& a) {
    a = {row.at(0), row.at(1), row.at(2), row.at(3)};
}

template <class Row>
nlohmann::json rows_of(const std::vector<Row>& rows) {
    nlohmann::json json = nlohmann::json::array();
    for (const Row& row : rows) json.push_back(row_of(row));
    return json;
}

template <class Row>
void read_rows(const nlohmann::json& json, std::vector<Row>& rows) {
    for (const auto& row : json) read_row(row, rows.emplace_back());
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
    json.at("n_train").get_to(r.n_train);
    json.at("n_validation").get_to(r.n_validation);
    json.at("n_test").get_to(r.n_test);
    json.at("n_classes").get_to(r.n_classes);
    json.at("train_seconds").get_to(r.train_seconds);
    json.at("explain_seconds").get_to(r.explain_seconds);
    json.at("is_reused").get_to(r.is_reused);
    json.at("notes").get_to(r.notes);
    return r;
}

std::string write_job_result(const JobResult& result, const std::string& path) {
    const auto bytes = nlohmann::json::to_cbor(to_json(result));
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
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{}: no result: {}", path, error.what()));
    }
}

}  // namespace leadsweep

#include "orchestrator/store/result_rows.hpp"

#include <cmath>
#include <optional>

namespace leadsweep {
namespace {

bool is_nan(const std::optional<double>& value) {
    return value && std::isnan(*value);
}

/// What was computed over explained records is missing where there are none.
std::optional<double> of_records(const LeadImportance& i, double value) {
    return i.n > 0 ? std::optional<double>(value) : std::nullopt;
}

}  // namespace

void insert_result_rows(Connection& connection, AttemptId attempt, const JobResult& result) {
    for (const Epoch& e : result.epochs)
        connection.run("INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", attempt, e.epoch, e.train_loss,
                       is_nan(e.train_loss), e.validation_loss, is_nan(e.validation_loss), e.macro_auroc, e.macro_f1,
                       e.learning_rate, e.seconds, e.records_per_s, e.is_best);
    for (const Metric& m : result.metrics)
        connection.run("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?)", attempt, m.split, m.class_code, m.name,
                       m.value, is_nan(m.value), m.n_positive);
    for (const LeadImportance& i : result.lead_importance)
        connection.run("INSERT INTO lead_importance VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", attempt, i.class_code,
                       i.lead, i.segment, of_records(i, i.importance), of_records(i, i.magnitude), of_records(i, i.sd),
                       i.n, i.r2, of_records(i, i.sign_agreement), i.n_dropped);
    for (const Artifact& a : result.artifacts)
        connection.run("INSERT INTO artifacts VALUES (?, ?, ?, ?, ?)", attempt, a.kind, a.path, a.digest, a.size_bytes);
}

}  // namespace leadsweep

// What a finished attempt leaves behind. Large things lie in files of the attempt's folder; this goes into rows.
//
// File `result.cbor` of the attempt's folder: this struct as CBOR (write_job_result / read_job_result).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "shared/metrics/metric.hpp"

namespace leadsweep {

/// One epoch of training. Figures of the validation fold; missing ones have no value.
struct Epoch {
    std::int64_t epoch = 0;  ///< from 1
    double train_loss = 0;
    std::optional<double> validation_loss;
    std::optional<double> macro_auroc;
    std::optional<double> macro_f1;
    double learning_rate = 0;
    double seconds = 0;
    double records_per_s = 0;
    bool is_best = false;  ///< the best so far by train.monitor
};

/// Importance of one segment of one lead for one class, over the explained records of one fold.
struct LeadImportance {
    std::string class_code;
    std::string lead;  ///< or electrode (explain.space)
    std::int64_t segment = 0;
    double importance = 0;       ///< mean of the signed coefficient; no value where n is 0
    double magnitude = 0;        ///< mean of its absolute value
    double sd = 0;               ///< standard deviation of the signed coefficient over the records
    std::int64_t n = 0;          ///< explained records
    std::optional<double> r2;    ///< mean weighted R2 of their linear models; missing for methods without one
    double sign_agreement = 0;   ///< share of the records whose coefficient has the sign of the mean
    std::int64_t n_dropped = 0;  ///< records left out: refused, or a fit below explain.min_r2
};

/// A file of the attempt's folder that a committed row names.
struct Artifact {
    std::string kind;  ///< "model", "predictions", "lead_importance"
    std::string path;  ///< relative to the attempt's folder
    std::string digest;
    std::int64_t size_bytes = 0;
};

struct JobResult {
    std::vector<Metric> metrics;
    std::vector<Epoch> epochs;
    std::vector<LeadImportance> lead_importance;
    std::vector<Artifact> artifacts;
    std::int64_t n_train = 0;
    std::int64_t n_validation = 0;
    std::int64_t n_test = 0;
    std::int64_t n_classes = 0;  ///< classes of the tested fold with both positives and negatives
    double train_seconds = 0;
    double explain_seconds = 0;
    bool is_reused = false;          ///< trained weights were taken over from an earlier job of the same train_key
    std::vector<std::string> notes;  ///< what was repaired or left out, for people
};

nlohmann::json to_json(const JobResult& result);
JobResult job_result_from_json(const nlohmann::json& json);

/// Writes durably and returns the digest of the bytes. Throws FileError.
std::string write_job_result(const JobResult& result, const std::string& path);
/// Throws FileError; InputError where the bytes are no result or do not have this digest.
JobResult read_job_result(const std::string& path, const std::string& expected_digest);

}  // namespace leadsweep

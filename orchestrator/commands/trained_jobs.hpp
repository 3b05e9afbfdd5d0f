// Trained models of finished jobs, new records, and a local worker that brings them together.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

/// One trained model, and the thresholds tuned on its validation fold.
struct TrainedJob {
    std::string path;
    std::string digest;
    std::vector<double> thresholds;  ///< [K]; empty where the attempt's predictions are gone
};

/// The finished jobs that `name` means (job_names.hpp). Throws InputError where none is finished, or several are and
/// `is_one`.
std::vector<TrainedJob> trained_jobs(const ReadStore& store, const Places& places, const std::string& name,
                                     bool is_one);

/// Header of a record given as header, signal file or stem. Throws InputError where there is none.
std::string record_header(const std::string& record);

/// The answer of `leadsweep-worker QUESTION`. Throws InputError with what it says, InterruptedError.
nlohmann::json ask_worker(const Places& places, const std::string& question, const nlohmann::json& request);

}  // namespace leadsweep

#include "orchestrator/commands/trained_jobs.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/launch/spawner.hpp"
#include "shared/arrays/safetensors.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

/// Thresholds of an attempt's predictions; none where these are gone.
std::vector<double> thresholds_of(const std::string& path) {
    try {
        return load_arrays(path).at("thresholds").values<double>();
    } catch (const Error& error) {
        log::warning("no tuned thresholds: {}", error.what());
        return {};
    }
}

}  // namespace

std::vector<TrainedJob> trained_jobs(const ReadStore& store, const Places& places, const std::string& name,
                                     bool is_one) {
    std::vector<TrainedJob> models;
    std::vector<std::string> without;
    for (const JobId job : find_jobs(store, {name})) {
        const auto rows = store
                              .ask(
                                  "SELECT a.folder, m.path, m.digest, p.path FROM jobs AS j "
                                  "JOIN attempts AS a ON a.attempt_id = j.winning_attempt_id "
                                  "JOIN artifacts AS m ON m.attempt_id = a.attempt_id AND m.kind = 'model' "
                                  "LEFT JOIN artifacts AS p ON p.attempt_id = a.attempt_id AND p.kind = 'predictions' "
                                  "WHERE j.job_id = ?",
                                  {static_cast<std::int64_t>(job.value)})
                              .rows;
        if (rows.empty()) {
            without.push_back(std::to_string(job.value));
            continue;
        }
        const std::string folder = fmt::format("{}/{}/", places.work, as_text(rows[0][0]));
        models.push_back({folder + as_text(rows[0][1]), as_text(rows[0][2]), {}});
        if (!as_text(rows[0][3]).empty()) models.back().thresholds = thresholds_of(folder + as_text(rows[0][3]));
    }
    if (models.empty())
        throw InputError(
            fmt::format("'{}' has no trained model: its jobs are not finished; `leadsweep status` tells", name));
    if (is_one && models.size() > 1)
        throw InputError(fmt::format("'{}' names {} jobs; name one of them, or give predict --group for their ensemble",
                                     name, models.size()));
    if (!without.empty())
        log::warning("jobs {} are not finished: the ensemble is of {} models", fmt::join(without, ", "), models.size());
    return models;
}

std::string record_header(const std::string& record) {
    fs::path path = fs::absolute(record);
    if (path.extension() != ".hea") {
        if (path.extension() == ".mat" || path.extension() == ".dat") path.replace_extension();
        path += ".hea";
    }
    if (!fs::is_regular_file(path))
        throw InputError(fmt::format("{}: no such record: there is no {}", record, path.string()));
    return path.string();
}

nlohmann::json ask_worker(const Places& places, const std::string& question, const nlohmann::json& request) {
    const std::string stem =
        (fs::temp_directory_path() / fmt::format("leadsweep_{}.{}", question, ::getpid())).string();
    const std::string request_path = stem + ".request.json";
    const std::string answer_path = stem + ".json";
    const std::string log_path = stem + ".log";
    write_file_durably(request_path, request.dump());
    Spawner spawner;
    const ChildExit exit =
        spawner.run({{places.worker, question, request_path, "--out", answer_path}, {}, log_path, false});
    std::error_code none;
    const std::string words = fs::exists(log_path, none) ? read_file(log_path) : "";
    fs::remove(log_path, none);
    fs::remove(request_path, none);
    if (exit.signal != 0)
        throw InterruptedError(fmt::format("the worker was ended by signal {}: start again", exit.signal));
    if (exit.code != 0) {
        std::string_view said = trim(words);
        constexpr std::string_view kProgram = "leadsweep-worker: ";
        if (said.starts_with(kProgram)) said.remove_prefix(kProgram.size());
        throw InputError(fmt::format("cannot {}: {}", question, said));
    }
    const auto answer = nlohmann::json::parse(read_file(answer_path));
    fs::remove(answer_path, none);
    return answer;
}

}  // namespace leadsweep

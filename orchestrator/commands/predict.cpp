#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/commands/predictions_shown.hpp"
#include "orchestrator/launch/spawner.hpp"
#include "shared/arrays/safetensors.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

struct PredictOptions {
    std::string job;
    std::string group;
    std::vector<std::string> records;
    bool is_explained = false;
    bool has_all = false;
    std::string format = "text";
    Places places;
};

/// One trained model, and the thresholds tuned on its validation fold.
struct TrainedJob {
    std::string path;
    std::string digest;
    std::vector<double> thresholds;
};

/// Thresholds of an attempt's predictions; none where these are gone.
std::vector<double> thresholds_of(const std::string& path) {
    try {
        return load_arrays(path).at("thresholds").values<double>();
    } catch (const Error& error) {
        log::warning("no tuned thresholds: {}", error.what());
        return {};
    }
}

std::vector<TrainedJob> models_of(const ReadStore& store, const Places& places, const PredictOptions& options) {
    const std::string& name = options.job.empty() ? options.group : options.job;
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
    if (!options.job.empty() && models.size() > 1)
        throw InputError(fmt::format("'{}' names {} jobs; give --group for the ensemble of them", name, models.size()));
    if (!without.empty())
        log::warning("jobs {} are not finished: the ensemble is of {} models", fmt::join(without, ", "), models.size());
    return models;
}

/// Header of a record given as header, signal file or stem.
std::string header_of(const std::string& record) {
    fs::path path = fs::absolute(record);
    if (path.extension() != ".hea") {
        if (path.extension() == ".mat" || path.extension() == ".dat") path.replace_extension();
        path += ".hea";
    }
    if (!fs::is_regular_file(path))
        throw InputError(fmt::format("{}: no such record: there is no {}", record, path.string()));
    return path.string();
}

nlohmann::json ask_worker(const Places& places, const nlohmann::json& request) {
    const std::string stem = (fs::temp_directory_path() / fmt::format("leadsweep_predict.{}", ::getpid())).string();
    const std::string request_path = stem + ".request.json";
    const std::string answer_path = stem + ".json";
    const std::string log_path = stem + ".log";
    write_file_durably(request_path, request.dump());
    Spawner spawner;
    const ChildExit exit =
        spawner.run({{places.worker, "predict", request_path, "--out", answer_path}, {}, log_path, false});
    std::error_code none;
    const std::string words = fs::exists(log_path, none) ? read_file(log_path) : "";
    fs::remove(log_path, none);
    fs::remove(request_path, none);
    if (exit.signal != 0)
        throw InterruptedError(fmt::format("the worker was ended by signal {}: start again", exit.signal));
    if (exit.code != 0) throw InputError(fmt::format("the worker cannot predict: {}", trim(words)));
    const auto answer = nlohmann::json::parse(read_file(answer_path));
    fs::remove(answer_path, none);
    return answer;
}

/// Mean over the models that have them; empty where none has.
std::vector<double> mean_thresholds(const std::vector<TrainedJob>& models) {
    std::vector<double> mean;
    double count = 0;
    for (const TrainedJob& model : models) {
        if (model.thresholds.empty()) continue;
        mean.resize(model.thresholds.size());
        for (std::size_t k = 0; k < std::min(mean.size(), model.thresholds.size()); ++k) mean[k] += model.thresholds[k];
        ++count;
    }
    for (double& value : mean) value /= count;
    return mean;
}

int predict(const PredictOptions& options) {
    if (options.job.empty() == options.group.empty())
        throw InputError("name the model: --job JOB for one fold, or --group GROUP for the ensemble of its folds");
    const Places places = resolve_places(options.places);
    const ReadStore store = ReadStore::open(places.db);
    const auto models = models_of(store, places, options);
    nlohmann::json request = {{"explain", options.is_explained}};
    for (const TrainedJob& model : models)
        request["models"].push_back({{"path", model.path}, {"digest", model.digest}});
    for (const auto& record : options.records) request["records"].push_back(header_of(record));
    const nlohmann::json answer = ask_worker(places, request);
    const ShownPredictions shown = shown_predictions(store, answer, mean_thresholds(models), models.size());
    if (options.format == "json")
        fmt::print("{}\n", shown.json.dump(2));
    else
        fmt::print("{}", render_predictions(shown, table_format_from(options.format), options.has_all));
    for (const auto& problem : shown.problems) fmt::print(stderr, "leadsweep: {}\n", problem);
    return shown.problems.empty() ? kExitDone : kExitSomeFailed;
}

}  // namespace

void add_predict_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<PredictOptions>();
    CLI::App* command =
        app.add_subcommand("predict", "apply a trained model, or the ensemble of its folds, to records");
    command->add_option("--job", options->job, "id, beginning of its key, or words of its label");
    command->add_option("--group", options->group, "beginning of a group's id: the mean of its folds' probabilities");
    command->add_option("RECORD", options->records, "WFDB header or signal file, with or without extension")
        ->required();
    command->add_flag("--explain", options->is_explained, "also the lead map: which leads speak for each diagnosis");
    command->add_flag("--all", options->has_all,
                      "all classes, not only those above a threshold or the five most probable");
    command->add_option("--format", options->format, "text, markdown, csv, json, latex or html")->capture_default_str();
    add_place_options(*command, options->places);
    command->footer(
        "Nothing is written to the database. `leadsweep best` prints the winner's group. Exit code 1: some records "
        "could not "
        "be read.\n"
        "Examples:\n  leadsweep predict --job 17 ~/ecg/E07500.hea\n"
        "  leadsweep predict --group 3fa9 ~/ecg/E0750*.hea --explain --format json");
    command->callback([options, &exit_code] { exit_code = predict(*options); });
}

}  // namespace leadsweep

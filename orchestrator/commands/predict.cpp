#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/predictions_shown.hpp"
#include "orchestrator/commands/trained_jobs.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

struct PredictOptions {
    std::string job;
    std::string group;
    std::vector<std::string> records;
    bool is_explained = false;
    bool has_all = false;
    std::string format = "text";
    Places places;
};

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
    const auto models =
        trained_jobs(store, places, options.job.empty() ? options.group : options.job, options.group.empty());
    nlohmann::json request = {{"explain", options.is_explained}};
    for (const TrainedJob& model : models)
        request["models"].push_back({{"path", model.path}, {"digest", model.digest}});
    for (const auto& record : options.records) request["records"].push_back(record_header(record));
    const nlohmann::json answer = ask_worker(places, "predict", request);
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

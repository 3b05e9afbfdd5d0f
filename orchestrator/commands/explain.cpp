#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/commands/trained_jobs.hpp"
#include "orchestrator/report/class_names.hpp"
#include "orchestrator/report/explained_record.hpp"
#include "orchestrator/report/selection.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

struct ExplainOptions {
    std::string record;
    std::string job;
    std::string class_name;
    std::string svg;
    std::vector<std::string> settings;
    std::string format = "text";
    Places places;
};

std::string code_of(const ClassNames& names, const std::string& word) {
    if (word.empty()) return "";
    std::vector<std::string> known;
    for (const auto& [code, abbreviation] : names.all()) {
        if (word == code || word == abbreviation) return code;
        known.push_back(abbreviation);
    }
    throw InputError(fmt::format("--class: unknown class '{}'{}", word, suggestion(word, known)));
}

/// {"explain": {"segments": 20}} of explain.segments=20. Whether keys and values are right is told by the worker.
nlohmann::json settings_of(const std::vector<std::string>& words) {
    nlohmann::json settings = nlohmann::json::object();
    for (const auto& word : words) {
        const auto [key, text] = where_from(word);
        if (!key.starts_with("explain."))
            throw InputError(
                fmt::format("--set {}: only explain.* can differ from what the network was trained with", word));
        const auto value = nlohmann::json::parse(text, nullptr, false);
        settings["explain"][key.substr(8)] = value.is_number() ? value : nlohmann::json(text);
    }
    return settings;
}

/// The threshold tuned for one of the model's classes, where it is known.
std::optional<double> threshold_of(const TrainedJob& job, const nlohmann::json& answer) {
    const auto k = answer.at("class_index").get<std::size_t>();
    if (k >= job.thresholds.size()) return std::nullopt;
    return job.thresholds[k];
}

int explain(const ExplainOptions& options) {
    const TableFormat format = table_format_from(options.format);
    const Places places = resolve_places(options.places);
    const ReadStore store = ReadStore::open(places.db);
    const ClassNames names(store);
    const NamedJob named = find_job(store, options.job);
    const TrainedJob job = trained_jobs(store, places, options.job, true).front();
    const nlohmann::json request = {{"model", {{"path", job.path}, {"digest", job.digest}}},
                                    {"record", record_header(options.record)},
                                    {"class", code_of(names, options.class_name)},
                                    {"settings", settings_of(options.settings)}};
    ExplainedRecord explained;
    explained.answer = ask_worker(places, "explain", request);
    explained.record = std::filesystem::path(options.record).stem().string();
    explained.abbreviation = names.of(explained.answer.at("class_code").get<std::string>());
    explained.probability = explained.answer.at("probability").get<double>();
    explained.threshold = threshold_of(job, explained.answer);
    explained.job = fmt::format("{} ({})", named.id.value, named.label);
    std::string svg = options.svg;
    if (svg.empty()) svg = explained.record + "." + explained.abbreviation + ".svg";
    write_file_durably(svg, draw_explained(explained));
    fmt::print("{}", render(as_table(explained), format));
    fmt::print(stderr, "{}\n", svg);
    return kExitDone;
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<ExplainOptions>();
    CLI::App* command = app.add_subcommand("explain", "what in one record speaks for a diagnosis, drawn on ECG paper");
    command->add_option("RECORD", options->record, "WFDB header or signal file, with or without extension")->required();
    command->add_option("--job", options->job, "id, beginning of its key, or words of its label")->required();
    command->add_option("--class", options->class_name, "code or abbreviation [the most probable]");
    command->add_option("--svg", options->svg, "file of the drawing [name of the record, class, .svg]");
    command->add_option("--set", options->settings, "explain.KEY=VALUE instead of the job's own; may be repeated")
        ->type_size(1)
        ->allow_extra_args(false);
    command->add_option("--format", options->format, "text, markdown, csv, json, latex or html")->capture_default_str();
    add_place_options(*command, options->places);
    command->footer(
        "Nothing is written to the database. The record is resampled and prepared as the job's records were.\n"
        "Examples:\n  leadsweep explain ~/ecg/E07500.hea --job 17\n"
        "  leadsweep explain ~/ecg/E07500 --job 17 --class AF --set explain.align=beats --svg af.svg\n"
        "  chromium --headless --screenshot=af.png --window-size=1150,1050 af.svg      # a PNG; or rsvg-convert, "
        "inkscape");
    command->callback([options, &exit_code] { exit_code = explain(*options); });
}

}  // namespace leadsweep

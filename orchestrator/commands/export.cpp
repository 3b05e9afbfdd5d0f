#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "embedded/leadsweep_commands.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "shared/arrays/safetensors.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
    std::string job;
    std::string to;
    bool is_forced = false;
    Places places;
};

struct Artefact {
    std::string path;
    std::string digest;
};

/// The artefacts of the attempt whose result counts, by kind.
std::map<std::string, Artefact> artefacts_of(const ReadStore& store, const Places& places, const NamedJob& job) {
    std::map<std::string, Artefact> found;
    for (const auto& row :
         store
             .ask("SELECT a.kind, t.folder || '/' || a.path, a.digest FROM jobs AS j JOIN attempts AS t "
                  "ON t.attempt_id = j.winning_attempt_id JOIN artifacts AS a USING (attempt_id) "
                  "WHERE j.job_id = ?1",
                  {static_cast<std::int64_t>(job.id.value)})
             .rows)
        found[as_text(row[0])] = {places.work + "/" + as_text(row[1]), as_text(row[2])};
    return found;
}

/// The content of an artefact, as the database knows it.
std::string content_of(const Artefact& artefact) {
    std::string content = read_file(artefact.path);
    if (const auto found = sha256(content); found != artefact.digest)
        throw InputError(fmt::format("{}: has digest {}, the database knows {}: it was changed; see `leadsweep doctor`",
                                     artefact.path, found.substr(0, 12), artefact.digest.substr(0, 12)));
    return content;
}

/// Name and arguments of the class in model.py.
nlohmann::json network_of(const JobSpec& spec, std::size_t classes) {
    nlohmann::json arguments = {
        {"leads", spec.data.leads.size()}, {"classes", classes}, {"momentum", spec.train.bn_momentum}};
    if (spec.model.name == "inception") {
        std::vector<std::int64_t> kernels;
        const double factor = spec.model.kernel_unit == "seconds" ? spec.sampling_hz : 1;
        for (const double kernel : spec.model.kernels)
            kernels.push_back(std::max<std::int64_t>(1, std::llround(kernel * factor)));
        arguments["depth"] = spec.model.depth;
        arguments["filters"] = spec.model.filters;
        arguments["bottleneck"] = spec.model.bottleneck;
        arguments["kernels"] = kernels;
        arguments["residual_period"] = spec.model.residual_period;
    }
    return {{"name", spec.model.name}, {"arguments", arguments}};
}

nlohmann::json about(const NamedJob& job, const JobSpec& spec, const Artefact& predictions) {
    const ArrayFile file = decode_arrays(content_of(predictions), predictions.path);
    const auto known_classes = file.metadata.find("classes");
    const LabelSet labels =
        known_classes == file.metadata.end() ? label_set(spec.data.labels) : label_set_from_text(known_classes->second);
    const auto thresholds = file.at("thresholds").values<double>();
    nlohmann::json classes = nlohmann::json::array();
    for (std::size_t k = 0; k < labels.classes.size(); ++k) {
        const auto& known = labels.classes[k];
        const bool has_threshold = k < thresholds.size() && std::isfinite(thresholds[k]);
        classes.push_back({{"code", known.code},
                           {"abbreviation", known.abbreviation},
                           {"name", known.name},
                           {"threshold", has_threshold ? nlohmann::json(thresholds[k]) : nlohmann::json()}});
    }
    return {{"job", job.id.value},
            {"key", job.key},
            {"network", network_of(spec, labels.classes.size())},
            {"classes", classes},
            {"sampling_hz", spec.sampling_hz},
            {"window_s", spec.data.window_s},
            {"leads", spec.data.leads},
            {"unit", spec.data.normalize == "none" ? "uV" : "standard deviations of each lead"},
            {"normalize", spec.data.normalize},
            {"spec", to_json(spec)}};
}

void write_into(const ExportOptions& options, const char* name, const std::string& content) {
    const fs::path path = fs::path(options.to) / name;
    std::error_code error;
    if (fs::exists(path, error) && !options.is_forced)
        throw InputError(
            fmt::format("{}: is there already; name another folder, or overwrite it with --force", path.string()));
    write_file_durably(path, content);
}

int export_job(const ExportOptions& options) {
    const Places places = resolve_places(options.places);
    const ReadStore store = ReadStore::open(places.db);
    const NamedJob job = find_job(store, options.job);
    const auto artefacts = artefacts_of(store, places, job);
    if (!artefacts.contains("model") || !artefacts.contains("predictions"))
        throw InputError(fmt::format("job {} ({}) is {}: only finished jobs have a model; see `leadsweep why {}`",
                                     job.id.value, job.label, job.state, job.id.value));
    const std::string model = content_of(artefacts.at("model"));
    const auto spec =
        job_spec_from_json(nlohmann::json::parse(decode_arrays(model, artefacts.at("model").path).metadata.at("spec")));
    const auto told = about(job, spec, artefacts.at("predictions"));
    require_writable_folder(options.to);
    write_into(options, "model.safetensors", model);
    write_into(options, "model.json", told.dump(1) + "\n");
    write_into(options, "model.py", std::string(embedded::torch_model_py));
    fmt::print("{}: model.safetensors, model.json, model.py of job {} ({})\n", options.to, job.id.value, job.label);
    return kExitDone;
}

}  // namespace

void add_export_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<ExportOptions>();
    CLI::App* command = app.add_subcommand("export", "a finished job's network as a plain PyTorch module");
    command->add_option("JOB", options->job, "id, beginning of the key, or words of the label")->required();
    command->add_option("--to", options->to, "folder for the three files")->required();
    command->add_flag("--force", options->is_forced, "overwrite files that are there");
    add_place_options(*command, options->places);
    command->footer(
        "model.safetensors holds the weights, model.py the module that loads them, model.json classes, sampling rate,\n"
        "window, leads, each class's threshold (of its probability, tuned on the validation fold), and the job's "
        "settings.\n"
        "Example:\n  leadsweep export 17 --to exported\n"
        "  cd exported && python3 -c 'import model; network, about = model.load(\".\")'");
    command->callback([options, &exit_code] { exit_code = export_job(*options); });
}

}  // namespace leadsweep

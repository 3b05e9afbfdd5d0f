#include "worker/job_file.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/ecg/catalogue.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/fold_lists.hpp"
#include "shared/job/job_spec.hpp"
#include "shared/job/key.hpp"
#include "shared/job/pack_key.hpp"
#include "worker/dataset/pack.hpp"
#include "worker/dataset/survey.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

/// What a spec alone does not have.
struct Material {
    std::string lists_path;
    std::string pack_folder;
};

Catalogue survey_of(const JobSpec& spec) {
    if (!spec.data.table.file.empty())
        throw InputError(
            "data.table is read by `leadsweep` alone: run the job.json that it leaves beside a failed attempt, or take "
            "labels and patients from the headers");
    if (!spec.data.label_file.empty())
        throw InputError(
            "data.label_file is read by `leadsweep` alone: run the job.json that it leaves beside a failed attempt");
    SurveyRequest request;
    request.synthetic = spec.data.synthetic;
    request.records_folder = spec.data.records;
    if (request.synthetic.patients == 0) {
        if (!fs::is_directory(spec.data.records))
            throw InputError(fmt::format("data.records: {} is no folder; give one, or data.synthetic.patients",
                                         spec.data.records.empty() ? "''" : spec.data.records));
        for (const auto& entry : fs::recursive_directory_iterator(spec.data.records))
            if (entry.path().extension() == ".hea")
                request.headers.push_back(fs::relative(entry.path(), spec.data.records).string());
    }
    Catalogue catalogue;
    catalogue.records = survey(request, {});
    return catalogue;
}

FoldLists lists_of(const JobSpec& spec, const Catalogue& catalogue) {
    const LabelSet& labels = label_set(spec.data.labels);
    FoldLists lists;
    lists.label_set = labels;
    lists.data_digest = digest_of(catalogue);
    lists.fold = spec.fold;
    lists.record_count = static_cast<std::int64_t>(catalogue.records.size());
    lists.class_count = static_cast<std::int64_t>(labels.classes.size());
    lists.labels.resize(catalogue.records.size() * labels.classes.size());
    std::map<std::string, std::int64_t> fold_of_patient;
    for (std::size_t row = 0; row < catalogue.records.size(); ++row) {
        const CatalogueRecord& record = catalogue.records[row];
        bool is_known = false;
        for (const auto& label : record.labels)
            if (const auto column = labels.find(label)) {
                lists.labels[row * labels.classes.size() + *column] = 1;
                is_known = true;
            }
        if (!record.is_usable() || !is_known) continue;
        const std::string patient = record.patient.empty() ? record.path : record.patient;
        const auto next = static_cast<std::int64_t>(fold_of_patient.size()) % spec.folds.k;
        const std::int64_t fold = fold_of_patient.emplace(patient, next).first->second;
        auto& list = fold == spec.fold                        ? lists.test
                     : fold == (spec.fold + 1) % spec.folds.k ? lists.validation
                                                              : lists.train;
        list.push_back(static_cast<std::int32_t>(row));
    }
    return lists;
}

Material prepare(const JobSpec& spec, const std::string& out) {
    const Catalogue catalogue = survey_of(spec);
    const FoldLists lists = lists_of(spec, catalogue);
    Material made{out + "/lists.safetensors", out + "/pack-" + pack_key(spec, lists.data_digest).substr(0, 16)};
    save_fold_lists(lists, made.lists_path);
    log::info("{} records: {} for training, {} validate, {} are tested", catalogue.records.size(), lists.train.size(),
              lists.validation.size(), lists.test.size());
    const std::int64_t shards = shard_count(lists.record_count);
    for (std::int64_t shard = 0; shard < shards; ++shard)
        write_shard(spec, catalogue, made.pack_folder, shard, [](std::int64_t, std::int64_t) {});
    return made;
}

}  // namespace

void write_job_file(const Assign& assign, const std::string& path) {
    const nlohmann::json json = {{"spec", nlohmann::json::parse(assign.spec)},
                                 {"key", assign.key},
                                 {"train_key", assign.train_key},
                                 {"lists", assign.lists_path},
                                 {"lists_digest", assign.lists_digest},
                                 {"pack", assign.pack_folder}};
    write_file_durably(path, json.dump(1) + "\n");
}

Assign read_job_file(const std::string& path, const std::string& out) {
    nlohmann::json json;
    try {
        json = nlohmann::json::parse(read_file(path));
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{}: no JSON: {}", path, error.what()));
    }
    require_writable_folder(out);
    const bool is_assignment = json.is_object() && json.contains("spec");
    const JobSpec spec = job_spec_from_json(is_assignment ? json.at("spec") : json);
    Assign assign;
    assign.attempt = AttemptId{1};
    assign.spec = to_json(spec).dump();
    assign.attempt_folder = out;
    assign.resume_folder = out;
    if (is_assignment) {
        const auto text = [&](const char* name) {
            if (!json.contains(name) || !json.at(name).is_string())
                throw InputError(fmt::format("{}: '{}' is missing: this is no job.json of a worker", path, name));
            return json.at(name).get<std::string>();
        };
        assign.key = text("key");
        assign.train_key = text("train_key");
        assign.lists_path = text("lists");
        assign.lists_digest = text("lists_digest");
        assign.pack_folder = text("pack");
        return assign;
    }
    const Material made = prepare(spec, out);
    const FoldLists lists = load_fold_lists(made.lists_path);
    const JobKeys keys = keys_of(spec, {lists.data_digest, digest_of(lists)});
    assign.key = keys.key;
    assign.train_key = keys.train_key;
    assign.lists_path = made.lists_path;
    assign.lists_digest = sha256_file(made.lists_path);
    assign.pack_folder = made.pack_folder;
    return assign;
}

}  // namespace leadsweep

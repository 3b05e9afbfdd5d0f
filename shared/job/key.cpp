#include "shared/job/key.hpp"

#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/job/schema.hpp"
#include "shared/job/semantics.hpp"

namespace leadsweep {
namespace {

/// Where a job runs and where its records lie say nothing of what it is.
bool is_left_out(std::string_view path) {
    return path.starts_with("resources.") || path == "data.records" || path == "data.table.file";
}

}  // namespace

nlohmann::json canonical_settings(const JobSpec& spec, KeyPart part) {
    nlohmann::json settings = nlohmann::json::object();
    const auto& schema = job_schema();
    std::size_t index = 0;
    visit_settings(spec, [&](const KeyNote& note, const auto& field) {
        const KeyDescription& key = schema[index++];
        if (note.part > part || is_left_out(note.path)) return;
        nlohmann::json value = field;
        if (value != key.default_value) settings[note.path] = std::move(value);
    });
    return settings;
}

std::string point_of(const JobSpec& spec) {
    return sha256(canonical_settings(spec, KeyPart::kNone).dump());
}

std::string group_of(const JobSpec& spec) {
    auto settings = canonical_settings(spec, KeyPart::kNone);
    settings.erase("fold");
    return sha256(settings.dump());
}

JobKeys keys_of(const JobSpec& spec, const DataIdentity& data) {
    const nlohmann::json trained = {
        {"settings", canonical_settings(spec, KeyPart::kTrain)},
        {"data", data.data_digest},
        {"lists", data.lists_digest},
        {"semantics", {semantics::kPreparation, semantics::kModel, semantics::kTraining}},
    };
    JobKeys keys;
    keys.point = point_of(spec);
    keys.group = group_of(spec);
    keys.train_key = sha256(trained.dump());
    const nlohmann::json whole = {
        {"train_key", keys.train_key},
        {"settings", canonical_settings(spec, KeyPart::kEvaluate)},
        {"semantics", {semantics::kMetrics, semantics::kExplain}},
    };
    keys.key = sha256(whole.dump());
    return keys;
}

}  // namespace leadsweep

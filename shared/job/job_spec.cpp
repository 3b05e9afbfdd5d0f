#include "shared/job/job_spec.hpp"

#include <cmath>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/job/schema.hpp"

namespace leadsweep {
namespace {

nlohmann::json::json_pointer pointer_of(std::string_view path) {
    nlohmann::json::json_pointer pointer;
    for (const auto& part : split(path, '.')) pointer.push_back(part);
    return pointer;
}

/// Dotted paths of all values of nested JSON; lists are values.
void collect_paths(const nlohmann::json& node, const std::string& prefix, std::vector<std::string>& paths) {
    for (const auto& [key, value] : node.items()) {
        const std::string path = prefix.empty() ? key : prefix + "." + key;
        if (value.is_object())
            collect_paths(value, path, paths);
        else
            paths.push_back(path);
    }
}

}  // namespace

std::int64_t JobSpec::window_samples() const {
    return std::llround(data.window_s * sampling_hz);
}

nlohmann::json setting_of(const JobSpec& spec, std::string_view path) {
    std::optional<nlohmann::json> value;
    visit_settings(spec, [&](const KeyNote& note, const auto& field) {
        if (note.path == path) value = field;
    });
    if (!value) throw std::logic_error(fmt::format("there is no key {}", path));
    return *value;
}

nlohmann::json to_json(const JobSpec& spec) {
    nlohmann::json settings = nlohmann::json::object();
    visit_settings(spec, [&](const KeyNote& note, const auto& field) { settings[pointer_of(note.path)] = field; });
    return settings;
}

JobSpec job_spec_from_json(const nlohmann::json& settings) {
    std::vector<std::string> problems;
    std::vector<std::string> paths;
    collect_paths(settings, "", paths);
    const auto known = all_key_paths();
    for (const auto& path : paths)
        if (!find_key(path)) problems.push_back(fmt::format("{}: unknown key{}", path, suggestion(path, known)));
    JobSpec spec;
    visit_settings(spec, [&](const KeyNote& note, auto& field) {
        const auto pointer = pointer_of(note.path);
        if (!settings.contains(pointer)) return;
        const auto& value = settings.at(pointer);
        if (auto problem = problem_with(*find_key(note.path), value))
            problems.push_back(fmt::format("{}: {}", note.path, *problem));
        else
            value.get_to(field);
    });
    if (!problems.empty()) throw InputError(problems);
    return spec;
}

}  // namespace leadsweep

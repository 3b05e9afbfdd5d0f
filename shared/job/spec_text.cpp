#include "shared/job/spec_text.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "shared/job/schema.hpp"

namespace leadsweep {
namespace {

struct CanonicalKey {
    std::size_t key;
    std::string label;  ///< with quotes and colon
    KeyPart part;
    bool is_fold;
};

/// Keys in the order of canonical JSON. Where a job runs and where its records lie say nothing of what it is.
std::vector<CanonicalKey> canonical_keys() {
    std::vector<CanonicalKey> keys;
    const auto& schema = job_schema();
    for (std::size_t i = 0; i < schema.size(); ++i) {
        const std::string& path = schema[i].path;
        if (path.starts_with("resources.") || path == "data.records" || path == "data.table.file" ||
            path == "data.label_file")
            continue;
        keys.push_back({i, '"' + path + "\":", schema[i].part, path == "fold"});
    }
    std::sort(keys.begin(), keys.end(),
              [&](const CanonicalKey& a, const CanonicalKey& b) { return schema[a.key].path < schema[b.key].path; });
    return keys;
}

/// Nested JSON as pieces: the text before a value, and the key whose value follows.
struct NestedLayout {
    std::vector<std::pair<std::string, std::size_t>> pieces;
    std::string end;
};

void lay_out(const nlohmann::json& node, const std::string& prefix, NestedLayout& layout, std::string& text) {
    text += '{';
    bool is_first = true;
    for (const auto& [name, value] : node.items()) {
        text += (is_first ? "\"" : ",\"") + name + "\":";
        is_first = false;
        if (value.is_object()) {
            lay_out(value, prefix + name + ".", layout, text);
            continue;
        }
        layout.pieces.emplace_back(std::exchange(text, {}),
                                   static_cast<std::size_t>(find_key(prefix + name) - job_schema().data()));
    }
    text += '}';
}

NestedLayout nested_layout() {
    NestedLayout layout;
    lay_out(to_json(JobSpec{}), "", layout, layout.end);
    return layout;
}

}  // namespace

SettingText text_of_setting(std::size_t key, const nlohmann::json& value) {
    return {value.dump(), value == job_schema().at(key).default_value};
}

SpecText::SpecText(const JobSpec& spec) {
    visit_settings(spec, [&](const KeyNote&, const auto& field) {
        settings_.push_back(text_of_setting(settings_.size(), nlohmann::json(field)));
    });
}

void SpecText::append_canonical(std::string& out, KeyPart part, bool has_fold) const {
    static const std::vector<CanonicalKey> kKeys = canonical_keys();
    out += '{';
    bool is_first = true;
    for (const CanonicalKey& entry : kKeys) {
        const SettingText& setting = settings_[entry.key];
        if (setting.is_default || entry.part > part || (entry.is_fold && !has_fold)) continue;
        if (!is_first) out += ',';
        is_first = false;
        out += entry.label;
        out += setting.json;
    }
    out += '}';
}

std::string SpecText::whole() const {
    static const NestedLayout kLayout = nested_layout();
    std::string text;
    text.reserve(2048);
    for (const auto& [before, key] : kLayout.pieces) {
        text += before;
        text += settings_[key].json;
    }
    text += kLayout.end;
    return text;
}

}  // namespace leadsweep

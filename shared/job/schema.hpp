// The table of all keys of a job: what parsing, suggestions, --help and sweeps/README.md are made from.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "shared/job/job_spec.hpp"

namespace leadsweep {

enum class KeyType { kInteger, kNumber, kText, kNumberList, kTextList };

struct KeyDescription {
    std::string path;
    KeyType type;
    std::string unit;
    KeyPart part;
    std::string text;
    double minimum;
    double maximum;
    bool is_minimum_open;
    std::vector<std::string> choices;
    nlohmann::json default_value;

    bool has_range() const { return minimum != maximum; }
};

const std::vector<KeyDescription>& job_schema();
/// nullptr if there is no such key.
const KeyDescription* find_key(std::string_view path);
std::vector<std::string> all_key_paths();

/// Why `value` cannot be the value of `key` ("expected an integer, found text 'abc'"), or nothing.
std::optional<std::string> problem_with(const KeyDescription& key, const nlohmann::json& value);

/// The keys as a Markdown table, as in sweeps/README.md.
std::string schema_as_markdown();

}  // namespace leadsweep

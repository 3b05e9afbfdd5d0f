#include "shared/job/schema.hpp"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

template <class Field>
constexpr KeyType key_type_of() {
    using T = std::remove_cvref_t<Field>;
    if constexpr (std::is_same_v<T, std::int64_t>)
        return KeyType::kInteger;
    else if constexpr (std::is_same_v<T, double>)
        return KeyType::kNumber;
    else if constexpr (std::is_same_v<T, std::string>)
        return KeyType::kText;
    else if constexpr (std::is_same_v<T, std::vector<double>>)
        return KeyType::kNumberList;
    else
        return KeyType::kTextList;
}

std::string show_type(KeyType type) {
    switch (type) {
        case KeyType::kInteger:
            return "integer";
        case KeyType::kNumber:
            return "number";
        case KeyType::kText:
            return "text";
        case KeyType::kNumberList:
            return "list of numbers";
        case KeyType::kTextList:
            return "list of texts";
    }
    return {};
}

std::string show_range(const KeyDescription& key) {
    if (!key.has_range()) return {};
    return fmt::format("{} {} and <= {}", key.is_minimum_open ? ">" : ">=", key.minimum, key.maximum);
}

std::optional<std::string> problem_with_number(const KeyDescription& key, const nlohmann::json& value) {
    if (!value.is_number()) return fmt::format("expected a {}, found {}", show_type(key.type), value.dump());
    const double number = value.get<double>();
    if (!key.has_range()) return std::nullopt;
    const bool is_low = key.is_minimum_open ? !(number > key.minimum) : !(number >= key.minimum);
    if (is_low || number > key.maximum)
        return fmt::format("expected a value {}, found {}", show_range(key), value.dump());
    return std::nullopt;
}

}  // namespace

const std::vector<KeyDescription>& job_schema() {
    static const std::vector<KeyDescription> keys = [] {
        std::vector<KeyDescription> made;
        const JobSpec defaults;
        visit_settings(defaults, [&](const KeyNote& note, const auto& field) {
            made.push_back({note.path, key_type_of<decltype(field)>(), note.unit, note.part, note.text, note.minimum,
                            note.maximum, note.is_minimum_open, note.choices, field});
        });
        return made;
    }();
    return keys;
}

const KeyDescription* find_key(std::string_view path) {
    const auto& keys = job_schema();
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.path == path; });
    return found == keys.end() ? nullptr : &*found;
}

std::vector<std::string> all_key_paths() {
    std::vector<std::string> paths;
    for (const auto& key : job_schema()) paths.push_back(key.path);
    return paths;
}

std::optional<std::string> problem_with(const KeyDescription& key, const nlohmann::json& value) {
    switch (key.type) {
        case KeyType::kInteger:
            if (!value.is_number_integer()) return fmt::format("expected an integer, found {}", value.dump());
            return problem_with_number(key, value);
        case KeyType::kNumber:
            return problem_with_number(key, value);
        case KeyType::kText: {
            if (!value.is_string()) return fmt::format("expected text, found {}", value.dump());
            const auto text = value.get<std::string>();
            if (!key.choices.empty() && std::find(key.choices.begin(), key.choices.end(), text) == key.choices.end())
                return fmt::format("expected one of {}, found '{}'{}", fmt::join(key.choices, ", "), text,
                                   suggestion(text, key.choices));
            return std::nullopt;
        }
        case KeyType::kNumberList:
        case KeyType::kTextList:
            if (!value.is_array()) return fmt::format("expected a {}, found {}", show_type(key.type), value.dump());
            for (const auto& item : value) {
                if (key.type == KeyType::kTextList && !item.is_string())
                    return fmt::format("expected a list of texts, found {} in it", item.dump());
                if (key.type == KeyType::kNumberList)
                    if (auto problem = problem_with_number(key, item)) return problem;
            }
            return std::nullopt;
    }
    return std::nullopt;
}

std::string schema_as_markdown() {
    std::string text = "| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
    for (const auto& key : job_schema()) {
        const std::string allowed =
            key.choices.empty() ? show_range(key) : fmt::format("{}", fmt::join(key.choices, ", "));
        text += fmt::format("| `{}` | {}{} | `{}` | {} | {} |\n", key.path, show_type(key.type),
                            key.unit.empty() ? "" : ", " + key.unit, key.default_value.dump(), allowed, key.text);
    }
    return text;
}

}  // namespace leadsweep

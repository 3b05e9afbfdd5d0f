#include "orchestrator/plan/yaml_settings.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>

#include "shared/core/text.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

bool is_list(const KeyDescription& key) {
    return key.type == KeyType::kNumberList || key.type == KeyType::kTextList;
}

bool is_number_key(const KeyDescription& key) {
    return key.type == KeyType::kInteger || key.type == KeyType::kNumber || key.type == KeyType::kNumberList;
}

/// A plain scalar as integer or number, or as the text it is.
nlohmann::json number_or_text(const std::string& scalar) {
    std::string_view digits = scalar;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    // from_chars knows "inf" and "nan" as well: no setting is either.
    if (digits.empty() || digits.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return scalar;
    const char* end = digits.data() + digits.size();
    std::int64_t integer = 0;
    if (const auto [rest, error] = std::from_chars(digits.data(), end, integer); error == std::errc{} && rest == end)
        return integer;
    double number = 0;
    if (const auto [rest, error] = std::from_chars(digits.data(), end, number); error == std::errc{} && rest == end)
        return number;
    return scalar;
}

/// yaml-cpp makes a single byte of each of the escapes `\_` and `\N`: U+00A0 and U+0085.
std::string text_of(const YAML::Node& scalar) {
    return as_utf8(scalar.Scalar());
}

nlohmann::json json_of(const YAML::Node& node, bool reads_numbers) {
    if (!node.IsDefined() || node.IsNull()) return nullptr;
    if (node.IsScalar()) {
        const bool is_plain = node.Tag() == "?";
        return reads_numbers && is_plain ? number_or_text(text_of(node)) : nlohmann::json(text_of(node));
    }
    if (node.IsSequence()) {
        nlohmann::json list = nlohmann::json::array();
        for (const auto& item : node) list.push_back(json_of(item, reads_numbers));
        return list;
    }
    nlohmann::json map = nlohmann::json::object();
    for (const auto& item : node)
        map[item.first.IsScalar() ? text_of(item.first) : "?"] = json_of(item.second, reads_numbers);
    return map;
}

constexpr int kMostLevels = 32;
constexpr std::size_t kMostNodesAndBytes = 8'000'000;

/// Takes what lies at and below the node from `left`; false where that is not enough.
bool count_nodes(const YAML::Node& node, int levels, std::size_t& left) {
    const std::size_t size = 1 + (node.IsScalar() ? node.Scalar().size() : 0);
    if (levels == 0 || left < size) return false;
    left -= size;
    if (!node.IsSequence() && !node.IsMap()) return true;
    for (const auto& item : node) {
        const bool fits = node.IsMap()
                              ? count_nodes(item.first, levels - 1, left) && count_nodes(item.second, levels - 1, left)
                              : count_nodes(item, levels - 1, left);
        if (!fits) return false;
    }
    return true;
}

/// One spelling for one value, so that equal settings have equal hashes: 100 and 100.0, avr and aVR.
nlohmann::json normalised(const KeyDescription& key, nlohmann::json value) {
    if (key.type == KeyType::kNumber) return value.get<double>();
    if (key.type == KeyType::kNumberList) return value.get<std::vector<double>>();
    if (key.path == "data.leads" || key.path == "data.synthetic.signs")
        for (auto& name : value)
            if (const auto lead = find_lead(name.get<std::string>())) name = std::string(kLeadNames[*lead]);
    return value;
}

std::string absolute_path(const std::filesystem::path& folder, const std::string& path) {
    std::error_code ignored;
    const auto joined = std::filesystem::absolute(folder / path, ignored);
    const auto resolved = std::filesystem::weakly_canonical(joined, ignored);
    return (resolved.empty() ? joined : resolved).string();
}

std::vector<std::string> keys_below(const std::string& section) {
    std::vector<std::string> keys;
    for (const auto& key : job_schema())
        if (key.path.starts_with(section + ".")) keys.push_back(key.path);
    return keys;
}

class DocumentCounter : public YAML::EventHandler {
public:
    int documents() const { return documents_; }

    void OnDocumentStart(const YAML::Mark&) override { ++documents_; }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}

private:
    int documents_ = 0;
};

}  // namespace

bool has_several_documents(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    DocumentCounter counter;
    while (counter.documents() < 2 && parser.HandleNextDocument(counter)) {
    }
    return counter.documents() > 1;
}

bool is_section(const std::string& path) {
    return !keys_below(path).empty();
}

bool is_of_bounded_size(const YAML::Node& node) {
    std::size_t left = kMostNodesAndBytes;
    return count_nodes(node, kMostLevels, left);
}

const std::vector<std::string>& keys_and_sections() {
    static const std::vector<std::string> words = [] {
        std::vector<std::string> made = all_key_paths();
        for (const auto& path : all_key_paths())
            for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
                if (std::find(made.begin(), made.end(), path.substr(0, dot)) == made.end())
                    made.push_back(path.substr(0, dot));
        return made;
    }();
    return words;
}

std::string YamlSettings::place(const YAML::Mark& mark) const {
    if (mark.is_null()) return file_;
    return fmt::format("{}:{}:{}", file_, mark.line + 1, mark.column + 1);
}

std::vector<YamlEntry> YamlSettings::entries_of(const YAML::Node& node, const std::string& node_place,
                                                const std::string& what) {
    std::vector<YamlEntry> entries;
    if (!node.IsDefined() || node.IsNull()) return entries;
    if (!node.IsMap()) {
        add_problem(node_place,
                    fmt::format("{}: expected keys with values, found {}", what, json_of(node, true).dump()));
        return entries;
    }
    std::map<std::string, std::string> places;
    for (const auto& item : node) {
        const std::string key_place = place(item.first.Mark());
        if (!item.first.IsScalar()) {
            add_problem(key_place,
                        fmt::format("{}: expected a word as key, found {}", what, json_of(item.first, true).dump()));
            continue;
        }
        const std::string key = text_of(item.first);
        if (const auto [first, is_new] = places.try_emplace(key, key_place); !is_new) {
            add_problem(key_place, fmt::format("{}: duplicate key '{}', first at {}", what, key, first->second));
            continue;
        }
        // yaml-cpp marks an empty value at whatever follows it.
        entries.push_back({key, item.second, key_place, item.second.IsNull() ? key_place : place(item.second.Mark())});
    }
    return entries;
}

void YamlSettings::add_unknown(const YamlEntry& entry, const std::string& path) {
    add_problem(entry.key_place, fmt::format("{}: unknown key{}", path, suggestion(path, keys_and_sections())));
}

void YamlSettings::collect(const YamlEntry& mapping, const std::string& prefix, std::vector<RawSetting>& found) {
    for (YamlEntry& entry : entries_of(mapping.value, mapping.value_place, mapping.key)) {
        const std::string path = prefix.empty() ? entry.key : prefix + "." + entry.key;
        entry.key = path;
        if (const KeyDescription* key = find_key(path)) {
            found.push_back({key, entry});
        } else if (!is_section(path)) {
            add_unknown(entry, path);
        } else if (entry.value.IsMap()) {
            collect(entry, path, found);
        } else {
            add_problem(entry.value_place,
                        fmt::format("{}: expected a section with {}, found {}", path, fmt::join(keys_below(path), ", "),
                                    json_of(entry.value, true).dump()));
        }
    }
}

std::vector<RawSetting> YamlSettings::settings_of(const YamlEntry& mapping, const std::string& prefix) {
    std::vector<RawSetting> found;
    collect(mapping, prefix, found);
    std::vector<RawSetting> unique;
    for (RawSetting& raw : found) {
        const auto first = std::find_if(unique.begin(), unique.end(), [&](const auto& u) { return u.key == raw.key; });
        if (first == unique.end())
            unique.push_back(std::move(raw));
        else
            add_problem(raw.entry.key_place,
                        fmt::format("duplicate key '{}', first at {}", raw.key->path, first->entry.key_place));
    }
    return unique;
}

std::vector<RawSetting> YamlSettings::axis_keys_of(const YamlEntry& mapping) {
    std::vector<RawSetting> found;
    for (const YamlEntry& entry : entries_of(mapping.value, mapping.value_place, mapping.key)) {
        if (const KeyDescription* key = find_key(entry.key))
            found.push_back({key, entry});
        else if (is_section(entry.key))
            add_problem(entry.key_place, fmt::format("{}: an axis needs one key, this is a section: write one of {}",
                                                     entry.key, fmt::join(keys_below(entry.key), ", ")));
        else
            add_unknown(entry, entry.key);
    }
    return found;
}

std::optional<nlohmann::json> YamlSettings::value_of(const KeyDescription& key, const YAML::Node& node,
                                                     const std::string& value_place) {
    nlohmann::json value = json_of(node, is_number_key(key));
    if (auto problem = problem_with(key, value)) {
        std::string hint;
        if (key.path == "fold" && value == "all") hint = ": `all` is for axes and include";
        add_problem(value_place, fmt::format("{}: {}{}", key.path, *problem, hint));
        return std::nullopt;
    }
    if (key.path == "data.records" && !value.get<std::string>().empty())
        return absolute_path(folder_, value.get<std::string>());
    return normalised(key, std::move(value));
}

Axis YamlSettings::axis_of(const RawSetting& raw) {
    const auto& [key, entry] = raw;
    Axis axis{{key->path}, {}, {}, entry.key_place, false};
    if (key->path == "fold" && entry.value.IsScalar() && entry.value.Scalar() == "all") {
        axis.is_all_folds = true;
        return axis;
    }
    if (!entry.value.IsSequence()) {
        const std::string found = json_of(entry.value, true).dump();
        add_problem(entry.value_place,
                    fmt::format("{}: expected a list of values, found {}: write [{}]", key->path, found, found));
        return axis;
    }
    if (entry.value.size() == 0)
        add_problem(entry.value_place, fmt::format("{}: the list of values is empty", key->path));
    if (is_list(*key) && entry.value.size() > 0 && !entry.value[0].IsSequence()) {
        add_problem(entry.value_place, fmt::format("{}: each value is itself a list: write [{}]", key->path,
                                                   json_of(entry.value, is_number_key(*key)).dump()));
        return axis;
    }
    for (const auto& item : entry.value) {
        const std::string item_place = item.IsNull() ? entry.value_place : place(item.Mark());
        auto value = value_of(*key, item, item_place);
        if (!value) continue;
        axis.points.push_back({std::move(*value)});
        axis.places.push_back(item_place);
    }
    return axis;
}

Axis YamlSettings::one_or_more(const RawSetting& raw) {
    const auto& [key, entry] = raw;
    const bool is_sequence = entry.value.IsSequence();
    const bool is_one =
        is_list(*key) ? !is_sequence || entry.value.size() == 0 || !entry.value[0].IsSequence() : !is_sequence;
    if (!is_one || (key->path == "fold" && entry.value.IsScalar() && entry.value.Scalar() == "all"))
        return axis_of(raw);
    Axis axis{{key->path}, {}, {}, entry.key_place, false};
    if (auto value = value_of(*key, entry.value, entry.value_place)) {
        axis.points.push_back({std::move(*value)});
        axis.places.push_back(entry.value_place);
    }
    return axis;
}

}  // namespace leadsweep

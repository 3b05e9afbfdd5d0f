// YAML nodes as settings of the job schema: typed values, places, and the problems found on the way.
// Private to sweep_file.cpp: the only header here that knows yaml-cpp.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

#include "orchestrator/plan/sweep_file.hpp"
#include "shared/job/schema.hpp"

namespace leadsweep {

/// Whether keys of the schema lie below `path` ("model", "data.synthetic").
bool is_section(const std::string& path);

/// All keys of the schema and the sections they lie in: what a misspelt key may have meant.
const std::vector<std::string>& keys_and_sections();

/// A key of a YAML mapping with its node. A place is that of the value, or of the key where the value is empty.
struct YamlEntry {
    std::string key;
    YAML::Node value;
    std::string key_place;
    std::string value_place;

    bool has_nothing() const { return value.IsNull() || (value.IsMap() && value.size() == 0); }
};

/// Whether a text holds several YAML documents. Throws YAML::Exception. To be asked before YAML::LoadAll, which takes a
/// stray comma for documents without end.
bool has_several_documents(const std::string& text);

/// Whether the nodes below this one and their texts, each counted as often as aliases name it, are no more than a sweep
/// file can mean: aliases of aliases grow without bound, and one that contains itself has no end.
bool is_of_bounded_size(const YAML::Node& node);

/// A key of the schema found in a mapping, not yet typed.
struct RawSetting {
    const KeyDescription* key;
    YamlEntry entry;
};

class YamlSettings {
public:
    /// Relative paths in values are taken from `folder`.
    YamlSettings(std::string file, std::filesystem::path folder) : file_(std::move(file)), folder_(std::move(folder)) {}

    std::string place(const YAML::Mark& mark) const;
    void add_problem(const std::string& place, const std::string& text) { problems_.push_back(place + ": " + text); }
    const std::vector<std::string>& problems() const { return problems_; }

    /// The entries of a mapping in file order, each key once: duplicates and keys that are no words are problems.
    /// An empty node is an empty mapping; anything else is a problem of `what`.
    std::vector<YamlEntry> entries_of(const YAML::Node& node, const std::string& place, const std::string& what);

    /// All keys of the schema in a mapping, sections opened, also where written with dots: "model: {depth: 6}" and
    /// "model.depth: 6" are the same. Unknown and duplicate keys are problems.
    std::vector<RawSetting> settings_of(const YamlEntry& mapping, const std::string& prefix);
    /// The same, but sections are problems: for axes.
    std::vector<RawSetting> axis_keys_of(const YamlEntry& mapping);

    /// The value typed for its key, or nothing and a problem.
    std::optional<nlohmann::json> value_of(const KeyDescription& key, const YAML::Node& node, const std::string& place);
    /// The values of a list as points of an axis of one key; `fold: all` is understood. Duplicates are problems.
    Axis axis_of(const RawSetting& raw);
    /// Like axis_of, but a single value stands for a list of one.
    Axis one_or_more(const RawSetting& raw);

private:
    void collect(const YamlEntry& mapping, const std::string& prefix, std::vector<RawSetting>& found);
    void add_unknown(const YamlEntry& entry, const std::string& path);

    std::string file_;
    std::filesystem::path folder_;
    std::vector<std::string> problems_;
};

}  // namespace leadsweep

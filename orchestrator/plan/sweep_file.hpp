// The sweep file as written: settings, axes and rules, each with the place it came from (design.md, section 5).
// Reads and types YAML against the job schema; it makes no points (grid.hpp) and opens no records.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace leadsweep {

/// One key with its value, typed as the schema wants it. `place` is "file:line:column", or "--set key=value".
struct Setting {
    std::string key;
    nlohmann::json value;
    std::string place;
};

/// Keys whose values go together (one key in `axes`, several in `zip`), and the values they take in turn.
struct Axis {
    std::vector<std::string> keys;
    std::vector<std::vector<nlohmann::json>> points;  ///< [point][key]; empty where is_all_folds
    std::vector<std::string> places;                  ///< of each point
    std::string place;                                ///< of the axis itself
    bool is_all_folds = false;                        ///< `fold: all`, that is 0 ... folds.k - 1
};

/// True for points where `key` has one of `values`.
struct Condition {
    std::string key;
    std::vector<nlohmann::json> values;
    std::string place;
};

/// An entry of `exclude`: points that meet all conditions are dropped.
struct Exclusion {
    std::vector<Condition> conditions;
    std::string place;
};

/// An entry of `include`: the product of its values, over the base.
struct Inclusion {
    std::vector<Axis> axes;
    std::string place;
};

/// An entry of `when`: points that meet all conditions get the settings.
struct WhenRule {
    std::vector<Condition> conditions;
    std::vector<Setting> settings;
    std::string place;
};

struct SweepSpec {
    std::string name;
    std::string file;              ///< as in places
    std::filesystem::path folder;  ///< of the file; a relative data.table.file is looked for here too
    std::vector<Setting> base;     ///< data, folds, base and --set: each key once
    std::vector<Axis> axes;        ///< `axes` then `zip`, in file order; the last one varies fastest
    std::vector<Exclusion> exclusions;
    std::vector<Inclusion> inclusions;
    std::vector<WhenRule> rules;

    /// Where the key's base value was written; the file's name where it was not.
    std::string place_of(const std::string& key) const;
};

/// Reads a sweep file. `set_overrides`: "key=value" each, value in YAML. Relative folders of records are taken from the
/// sweep file's folder, those of overrides from the current folder. Throws FileError where the file cannot be read,
/// InputError with every problem, each as "file:line:column: what".
SweepSpec load_sweep_file(const std::filesystem::path& path, const std::vector<std::string>& set_overrides = {});

/// The same for text that is at hand; `file` names it in messages, and its parent is the sweep file's folder.
SweepSpec parse_sweep(const std::string& text, const std::filesystem::path& file,
                      const std::vector<std::string>& set_overrides = {});

}  // namespace leadsweep

#include "orchestrator/plan/sweep_file.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/plan/yaml_settings.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

const std::vector<std::string>& section_names() {
    static const std::vector<std::string> names = {"name", "data",    "folds",   "base", "axes",
                                                   "zip",  "exclude", "include", "when"};
    return names;
}

/// Reads one document into one SweepSpec, gathering problems on the way.
class SweepReader {
public:
    SweepReader(const std::filesystem::path& file, std::filesystem::path folder)
        : yaml_(file.string(), folder), set_(file.string(), std::filesystem::current_path()) {
        spec_.name = file.stem().string();
        spec_.file = file.string();
        spec_.folder = std::move(folder);
    }

    SweepSpec read(const std::string& text, const std::vector<std::string>& set_overrides) {
        if (const auto document = parse(text)) {
            sort_sections(*document);
            read_base();
            read_axes();
            read_zip();
            read_exclusions();
            read_inclusions();
            read_rules();
        }
        for (const auto& text_of_override : set_overrides) read_override(text_of_override);
        check_axes();
        std::vector<std::string> problems = yaml_.problems();
        problems.insert(problems.end(), set_.problems().begin(), set_.problems().end());
        if (!problems.empty()) throw InputError(problems);
        return std::move(spec_);
    }

private:
    std::optional<YAML::Node> parse(const std::string& text) {
        try {
            if (has_several_documents(text)) {
                yaml_.add_problem(spec_.file,
                                  "expected one document, found several: remove '---' lines and stray commas");
                return std::nullopt;
            }
            const auto document = YAML::Load(text);
            if (document.IsMap() && is_of_bounded_size(document)) return document;
            yaml_.add_problem(spec_.file, document.IsMap()
                                              ? "aliases (*name) repeat themselves or each other without bound"
                                              : "expected a sweep with the sections " + known_sections());
        } catch (const YAML::Exception& error) {
            yaml_.add_problem(yaml_.place(error.mark), fmt::format("no YAML: {}", error.msg));
        }
        return std::nullopt;
    }

    static std::string known_sections() { return fmt::format("{}", fmt::join(section_names(), ", ")); }

    void sort_sections(const YAML::Node& document) {
        for (const YamlEntry& entry : yaml_.entries_of(document, spec_.file + ":1:1", "the sweep file")) {
            const auto& names = section_names();
            if (std::find(names.begin(), names.end(), entry.key) != names.end()) {
                sections_.emplace(entry.key, entry);
                continue;
            }
            std::string hint = suggestion(entry.key, names);
            if (find_key(entry.key) || is_section(entry.key))
                hint = fmt::format(", it is a setting: write it under base");
            yaml_.add_problem(entry.key_place, fmt::format("unknown section '{}'{}", entry.key, hint));
        }
        const auto name = sections_.find("name");
        if (name == sections_.end()) return;
        if (!name->second.value.IsScalar() || name->second.value.Scalar().empty())
            yaml_.add_problem(name->second.value_place, "name: expected a text");
        else
            spec_.name = name->second.value.Scalar();
    }

    void read_base() {
        for (const auto& [section, prefix] : {std::pair{"data", "data"}, {"folds", "folds"}, {"base", ""}}) {
            const auto found = sections_.find(section);
            if (found == sections_.end()) continue;
            for (const RawSetting& raw : yaml_.settings_of(found->second, prefix)) {
                if (const auto* first = base_setting(raw.key->path)) {
                    yaml_.add_problem(raw.entry.key_place,
                                      fmt::format("duplicate key '{}', first at {}", raw.key->path, first->place));
                    continue;
                }
                auto value = yaml_.value_of(*raw.key, raw.entry.value, raw.entry.value_place);
                // A value that is no good still counts as given: its key may be given again below.
                spec_.base.push_back(
                    {raw.key->path, value ? std::move(*value) : nlohmann::json(), raw.entry.value_place});
            }
        }
    }

    void read_axes() {
        const auto found = sections_.find("axes");
        if (found == sections_.end()) return;
        for (const RawSetting& raw : yaml_.axis_keys_of(found->second)) spec_.axes.push_back(yaml_.axis_of(raw));
    }

    void read_zip() {
        for (const YamlEntry& entry : list_of("zip")) {
            Axis joined{{}, {}, {}, entry.value_place, false};
            std::string lengths;
            std::size_t first_length = 0;
            bool is_equal = true;
            for (const RawSetting& raw : yaml_.axis_keys_of(entry)) {
                const Axis axis = yaml_.axis_of(raw);
                if (axis.is_all_folds) {
                    yaml_.add_problem(raw.entry.value_place, "fold: `all` has no fixed length, it cannot be zipped");
                    continue;
                }
                const std::size_t length = raw.entry.value.IsSequence() ? raw.entry.value.size() : 0;
                lengths += fmt::format("{}{} has {}", lengths.empty() ? "" : ", ", raw.key->path, length);
                if (joined.keys.empty()) {
                    first_length = length;
                    joined.points.resize(axis.points.size());
                    joined.places = axis.places;
                }
                is_equal = is_equal && length == first_length;
                joined.keys.push_back(raw.key->path);
                for (std::size_t i = 0; i < std::min(axis.points.size(), joined.points.size()); ++i)
                    joined.points[i].push_back(axis.points[i][0]);
            }
            if (entry.has_nothing()) yaml_.add_problem(entry.value_place, "zip: the entry names no key");
            if (joined.keys.empty()) continue;
            if (!is_equal)
                yaml_.add_problem(entry.value_place, fmt::format("zip: the lists need equal lengths: {}", lengths));
            spec_.axes.push_back(std::move(joined));
        }
    }

    void read_exclusions() {
        for (const YamlEntry& entry : list_of("exclude"))
            spec_.exclusions.push_back({conditions_of(entry), entry.value_place});
    }

    void read_inclusions() {
        for (const YamlEntry& entry : list_of("include")) {
            Inclusion inclusion{{}, entry.value_place};
            for (const RawSetting& raw : yaml_.settings_of(entry, "")) {
                inclusion.axes.push_back(yaml_.one_or_more(raw));
                check_duplicate_points(inclusion.axes.back());
            }
            if (entry.has_nothing()) yaml_.add_problem(entry.value_place, "include: the entry names no key");
            spec_.inclusions.push_back(std::move(inclusion));
        }
    }

    void read_rules() {
        for (const YamlEntry& entry : list_of("when")) {
            WhenRule rule{{}, {}, entry.value_place};
            bool has_if = false;
            bool has_set = false;
            for (YamlEntry& part : yaml_.entries_of(entry.value, entry.value_place, "when")) {
                if (part.key == "if") {
                    has_if = true;
                    rule.conditions = conditions_of(part);
                } else if (part.key == "set") {
                    has_set = true;
                    rule.settings = when_settings_of(part);
                } else {
                    yaml_.add_problem(part.key_place,
                                      fmt::format("when: unknown key '{}', known are if and set", part.key));
                }
            }
            if (!has_if || !has_set)
                yaml_.add_problem(entry.value_place, "when: expected {if: {key: value}, set: {key: value}}");
            spec_.rules.push_back(std::move(rule));
        }
    }

    std::vector<Setting> when_settings_of(const YamlEntry& part) {
        std::vector<Setting> settings;
        const auto raws = yaml_.settings_of(part, "");
        if (part.has_nothing()) yaml_.add_problem(part.value_place, "when: set names no key");
        for (const RawSetting& raw : raws)
            if (auto value = yaml_.value_of(*raw.key, raw.entry.value, raw.entry.value_place)) {
                settings.push_back({raw.key->path, std::move(*value), raw.entry.value_place});
                if (const Axis* axis = axis_with(raw.key->path))
                    yaml_.add_problem(
                        raw.entry.key_place,
                        fmt::format("when: {} is an axis ({}), its value is the point's", raw.key->path, axis->place));
            }
        return settings;
    }

    std::vector<Condition> conditions_of(const YamlEntry& mapping) {
        std::vector<Condition> conditions;
        const auto raws = yaml_.settings_of(mapping, "");
        if (mapping.has_nothing())
            yaml_.add_problem(mapping.value_place, fmt::format("{}: the entry names no key", mapping.key));
        for (const RawSetting& raw : raws) {
            Axis values = yaml_.one_or_more(raw);
            if (values.is_all_folds)
                yaml_.add_problem(raw.entry.value_place, "fold: `all` matches every point: leave the key out");
            Condition condition{raw.key->path, {}, raw.entry.value_place};
            for (auto& point : values.points) condition.values.push_back(std::move(point[0]));
            conditions.push_back(std::move(condition));
        }
        return conditions;
    }

    /// The entries of a section that is a list of mappings.
    std::vector<YamlEntry> list_of(const std::string& section) {
        std::vector<YamlEntry> entries;
        const auto found = sections_.find(section);
        if (found == sections_.end() || found->second.value.IsNull()) return entries;
        if (!found->second.value.IsSequence()) {
            yaml_.add_problem(found->second.value_place,
                              fmt::format("{}: expected a list of entries: [{{key: value}}]", section));
            return entries;
        }
        for (const auto& item : found->second.value)
            entries.push_back({section, item, found->second.key_place,
                               item.IsNull() ? found->second.value_place : yaml_.place(item.Mark())});
        return entries;
    }

    void read_override(const std::string& text) {
        const std::string place = "--set " + text;
        const std::size_t equals = text.find('=');
        const std::string path(trim(text.substr(0, equals)));
        const KeyDescription* key = find_key(path);
        if (equals == std::string::npos) return set_.add_problem(place, "expected key=value");
        if (!key && is_section(path)) return set_.add_problem(place, path + " is a section: set one of its keys");
        if (!key)
            return set_.add_problem(place,
                                    fmt::format("unknown key '{}'{}", path, suggestion(path, keys_and_sections())));
        if (const Axis* axis = axis_with(path))
            return set_.add_problem(
                place, fmt::format("{} is an axis of this sweep ({}): change it there", path, axis->place));
        if (const auto [first, is_new] = overrides_.try_emplace(path, place); !is_new)
            return set_.add_problem(place, fmt::format("{} is set twice, first by {}", path, first->second));
        try {
            const std::string written = text.substr(equals + 1);
            // Texts are taken as they stand: a path may hold what is syntax in YAML.
            const YAML::Node node = key->type == KeyType::kText ? YAML::Node(written) : YAML::Load(written);
            if (!is_of_bounded_size(node)) return set_.add_problem(place, "aliases repeat themselves without bound");
            auto value = set_.value_of(*key, node, place);
            if (!value) return;
            if ((path == "data.table.file" || path == "data.label_file") && !written.empty())
                value = std::filesystem::absolute(written).string();
            std::erase_if(spec_.base, [&](const Setting& setting) { return setting.key == path; });
            spec_.base.push_back({path, std::move(*value), place});
        } catch (const YAML::Exception& error) {
            set_.add_problem(place, fmt::format("no YAML value: {}", error.msg));
        }
    }

    void check_duplicate_points(const Axis& axis) {
        std::map<nlohmann::json, std::size_t> first_at;
        for (std::size_t i = 0; i < axis.points.size(); ++i) {
            nlohmann::json shown = axis.points[i];
            const auto [first, is_new] = first_at.try_emplace(shown, i);
            if (is_new) continue;
            yaml_.add_problem(
                axis.places[i],
                fmt::format("{}: duplicate value {}, first at {}", fmt::join(axis.keys, ", "),
                            (axis.keys.size() == 1 ? shown[0] : shown).dump(), axis.places[first->second]));
        }
    }

    void check_axes() {
        std::map<std::string, std::string> places;
        for (const Axis& axis : spec_.axes) {
            check_duplicate_points(axis);
            for (const auto& key : axis.keys)
                if (const auto [first, is_new] = places.try_emplace(key, axis.place); !is_new)
                    yaml_.add_problem(axis.place, fmt::format("{} is in two axes, first at {}", key, first->second));
        }
    }

    const Setting* base_setting(const std::string& key) const {
        const auto found =
            std::find_if(spec_.base.begin(), spec_.base.end(), [&](const auto& s) { return s.key == key; });
        return found == spec_.base.end() ? nullptr : &*found;
    }

    const Axis* axis_with(const std::string& key) const {
        for (const Axis& axis : spec_.axes)
            if (std::find(axis.keys.begin(), axis.keys.end(), key) != axis.keys.end()) return &axis;
        return nullptr;
    }

    YamlSettings yaml_;
    YamlSettings set_;
    std::map<std::string, YamlEntry> sections_;
    std::map<std::string, std::string> overrides_;
    SweepSpec spec_;
};

}  // namespace

std::string SweepSpec::place_of(const std::string& key) const {
    const auto found = std::find_if(base.begin(), base.end(), [&](const auto& setting) { return setting.key == key; });
    return found == base.end() ? file : found->place;
}

SweepSpec load_sweep_file(const std::filesystem::path& path, const std::vector<std::string>& set_overrides) {
    return parse_sweep(read_file(path), path, set_overrides);
}

SweepSpec parse_sweep(const std::string& text, const std::filesystem::path& file,
                      const std::vector<std::string>& set_overrides) {
    // Bytes of 0 come from UTF-16, and are an escape to yaml-cpp.
    if (const std::size_t bad = std::min(find_bad_utf8(text).value_or(text.npos), text.find('\0')); bad != text.npos) {
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
        const std::size_t line_start = text.rfind('\n', bad) == std::string::npos ? 0 : text.rfind('\n', bad) + 1;
        throw InputError(fmt::format("{}:{}:{}: this is no UTF-8 text: save the file as UTF-8", file.string(), line,
                                     bad - line_start + 1));
    }
    return SweepReader(file, std::filesystem::absolute(file).parent_path()).read(text, set_overrides);
}

}  // namespace leadsweep

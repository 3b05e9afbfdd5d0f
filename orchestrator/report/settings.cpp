#include "orchestrator/report/settings.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/report/table.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {

/// Gathers settings while JSON is parsed, without a tree in between.
class SettingTable::Reader : public nlohmann::json_sax<nlohmann::json> {
public:
    Reader(SettingTable& table, std::vector<Setting>& settings) : table_(table), settings_(settings) {}

    bool null() override { return add("null"); }
    bool boolean(bool value) override { return add(value ? "true" : "false"); }
    bool number_integer(number_integer_t value) override { return add(std::to_string(value)); }
    bool number_unsigned(number_unsigned_t value) override { return add(std::to_string(value)); }
    bool number_float(number_float_t value, const string_t&) override { return add(shortest(value)); }
    bool string(string_t& value) override { return add(value); }
    bool binary(binary_t&) override { return false; }
    bool key(string_t& name) override {
        path_.resize(lengths_.back());
        if (!path_.empty()) path_ += '.';
        path_ += name;
        return true;
    }
    bool start_object(std::size_t) override {
        lengths_.push_back(path_.size());
        return true;
    }
    bool end_object() override {
        lengths_.pop_back();
        return true;
    }
    bool start_array(std::size_t) override {
        list_ += list_depth_ > 0 && list_.back() != '[' ? ", [" : "[";
        ++list_depth_;
        return true;
    }
    bool end_array() override {
        list_ += ']';
        if (--list_depth_ > 0) return true;
        keep(list_);
        list_.clear();
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) override {
        throw InputError(fmt::format("the settings of a job in the database are no JSON: {}", error.what()));
    }

private:
    bool add(const std::string& text) {
        if (list_depth_ == 0) {
            keep(text);
        } else {
            if (list_.back() != '[') list_ += ", ";
            list_ += text;
        }
        return true;
    }

    void keep(const std::string& value) { settings_.push_back(table_.place_of(path_, value)); }

    SettingTable& table_;
    std::vector<Setting>& settings_;
    std::string path_;
    std::vector<std::size_t> lengths_;  ///< of the path outside each open object
    std::string list_;
    int list_depth_ = 0;
};

namespace {

/// `"a":1` and `"b":{"c":2}` of {"a":1,"b":{"c":2}}.
std::vector<std::string_view> members_of(std::string_view json) {
    if (!json.starts_with('{') || !json.ends_with('}'))
        throw InputError(fmt::format("the settings of a job in the database are no JSON object: {}", json));
    std::vector<std::string_view> members;
    std::size_t begin = 1;
    int depth = 0;
    bool is_in_string = false;
    for (std::size_t i = 1; i + 1 < json.size(); ++i) {
        const char c = json[i];
        if (is_in_string) {
            if (c == '\\') ++i;
            if (c == '"') is_in_string = false;
        } else if (c == '"') {
            is_in_string = true;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            --depth;
        } else if (c == ',' && depth == 0) {
            members.push_back(json.substr(begin, i - begin));
            begin = i + 1;
        }
    }
    if (json.size() > 2) members.push_back(json.substr(begin, json.size() - 1 - begin));
    return members;
}

}  // namespace

GroupSettings SettingTable::add(std::string_view spec) {
    GroupSettings group;
    group.values_.assign(keys_.size(), GroupSettings::kNone);
    for (const std::string_view member : members_of(spec)) {
        const auto& settings = settings_of(member);
        group.values_.resize(keys_.size(), GroupSettings::kNone);
        for (const auto& [key, value] : settings) group.values_[key] = value;
    }
    return group;
}

const std::vector<SettingTable::Setting>& SettingTable::settings_of(std::string_view member) {
    const auto [known, is_new] = members_.try_emplace(std::string(member));
    if (is_new) {
        Reader reader(*this, known->second);
        nlohmann::json::sax_parse(fmt::format("{{{}}}", member), &reader);
    }
    return known->second;
}

const std::string* SettingTable::find(const GroupSettings& group, const std::string& key) const {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    const std::uint32_t value = group.value_of(found->second);
    return value == GroupSettings::kNone ? nullptr : &keys_[found->second].values[value];
}

SettingTable::Setting SettingTable::place_of(const std::string& path, const std::string& value) {
    const auto [key, is_new_key] = places_.emplace(path, keys_.size());
    if (is_new_key) keys_.push_back({path, {}, {}});
    Key& known = keys_[key->second];
    const auto [place, is_new] = known.places.emplace(value, static_cast<std::uint32_t>(known.values.size()));
    if (is_new) known.values.push_back(value);
    return {key->second, place->second};
}

}  // namespace leadsweep

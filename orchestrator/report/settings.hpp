// Settings of very many groups: ten thousand specs differ in a few of their values, so each value is kept once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace leadsweep {

/// Which value of each setting a group has: places in SettingTable::keys() and in the values of that key.
class GroupSettings {
public:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    std::uint32_t value_of(std::size_t key) const { return key < values_.size() ? values_[key] : kNone; }

private:
    friend class SettingTable;
    std::vector<std::uint32_t> values_;
};

class SettingTable {
public:
    /// Settings of a job's spec (JSON) by dotted path, values as shown: 500.0 as "500", a list as "[40, 20, 10]".
    /// Throws InputError where it is no JSON.
    GroupSettings add(std::string_view spec);

    /// The shown value; nullptr where the group has no such setting.
    const std::string* find(const GroupSettings& group, const std::string& key) const;

    std::size_t size() const { return keys_.size(); }
    const std::string& key(std::size_t place) const { return keys_[place].path; }

private:
    struct Key {
        std::string path;
        std::vector<std::string> values;
        std::unordered_map<std::string, std::uint32_t> places;
    };
    class Reader;
    /// Places of a key and of one of its values.
    using Setting = std::pair<std::size_t, std::uint32_t>;

    const std::vector<Setting>& settings_of(std::string_view member);
    Setting place_of(const std::string& path, const std::string& value);

    std::vector<Key> keys_;
    std::unordered_map<std::string, std::size_t> places_;
    /// Most parts of a spec (data, explain, folds ...) are those of many others: each is parsed once.
    std::unordered_map<std::string, std::vector<Setting>> members_;
};

}  // namespace leadsweep

// Which jobs a table or map is about: one sweep, narrowed by settings. Stale jobs are never among them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "orchestrator/report/settings.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

struct JobFilter {
    std::string sweep;  ///< name; "" takes the one registered last
    /// Settings as key and shown value: ("sampling_hz", "75"). The same key twice: either value.
    std::vector<std::pair<std::string, std::string>> where = {};
};

/// "key=value" of a command line. Throws InputError.
std::pair<std::string, std::string> where_from(std::string_view text);

struct SelectedGroup {
    std::string group_id;
    GroupSettings settings;  ///< `fold` is the job's
};

struct SelectedJob {
    std::int64_t job_id = 0;
    std::string key;
    std::size_t group = 0;  ///< index into Selection::groups
    std::string fold;
    std::string state;
    bool is_leaky = false;
    std::int64_t attempt_id = 0;  ///< of the result; 0 if not finished
    std::string device_kind;      ///< of that attempt
    /// Index into Selection::tested_folds: jobs with the same one are tested on the same records.
    std::size_t tested_fold = 0;
    std::int64_t n_train = 0;  ///< records of that attempt; 0 where it did not say
    std::int64_t n_test = 0;
    std::int64_t seed = 0;  ///< of initial weights
};

struct Selection {
    std::string sweep;
    std::int64_t sweep_id = 0;
    SettingTable settings;
    std::vector<SelectedGroup> groups;  ///< in file order
    std::vector<SelectedJob> jobs;      ///< in file order
    /// Data, assignment and number of each fold that is tested, however training is steered.
    std::vector<std::string> tested_folds;
    std::vector<std::string> fold_lists;  ///< digests of the jobs' record lists, each once
    std::vector<std::string> notes;       ///< which sweep was taken, what was left out

    /// The setting of one job, `fold` included. Throws InputError with the nearest key where there is none such.
    const std::string& setting(const SelectedJob& job, const std::string& key) const;
    /// The same of a group; nullptr where it has no such setting, as in databases of earlier versions.
    const std::string* setting(const SelectedGroup& group, const std::string& key) const;
    /// All values of a setting among the groups; `fallback` stands for those that have no such setting.
    std::set<std::string> values_of(const std::string& key, const std::string& fallback) const;
    /// The one setting of all groups; `fallback` where a database of an earlier version has none. Throws InputError
    /// where they differ.
    std::string common_setting(const std::string& key, const std::string& fallback) const;
    /// Settings that differ between the groups, in alphabetical order; resources.* never count.
    std::vector<std::string> varying_keys() const;
    /// These settings of a group: "loss bce, sampling_hz 100"; "" where nothing differs.
    std::string name_of(const SelectedGroup& group) const;
    /// The same with other jobs, whose `group` and `tested_fold` are of this selection.
    Selection with_jobs(std::vector<SelectedJob> others) const;
    /// The label set of the first group.
    std::string label_set() const;
};

/// Throws InputError where there is no such sweep or key, or no job is left.
Selection select_jobs(const ReadStore& store, const JobFilter& filter);

/// A value of a job's spec as shown and compared: 500.0 as "500", a list as "[40, 20, 10]".
bool is_same_value(const std::string& shown, const std::string& wanted);

}  // namespace leadsweep

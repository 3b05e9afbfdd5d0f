#include "orchestrator/report/selection.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

/// Fills name and id; says which one was taken where none was named.
void find_sweep(const ReadStore& store, const std::string& name, Selection& selection) {
    const SqlResult sweeps = store.ask("SELECT sweep_id, name FROM sweeps ORDER BY registered_utc DESC, sweep_id DESC");
    if (sweeps.rows.empty()) throw InputError("the database holds no sweep yet; start one with `leadsweep run`");
    std::vector<std::string> known;
    for (const auto& row : sweeps.rows) {
        known.push_back(as_text(row[1]));
        if (selection.sweep_id != 0 || (!name.empty() && known.back() != name)) continue;
        selection.sweep_id = *as_integer(row[0]);
        selection.sweep = known.back();
    }
    if (selection.sweep_id == 0)
        throw InputError(fmt::format("the database has no sweep '{}'{}; it has {}", name, suggestion(name, known),
                                     fmt::join(known, ", ")));
    if (name.empty() && known.size() > 1)
        selection.notes.push_back(
            fmt::format("Sweep {}, the latest of {}; choose another with --sweep.", selection.sweep, known.size()));
}

/// Numbers names in the order in which they come.
class Numbering {
public:
    explicit Numbering(std::vector<std::string>& names) : names_(names) {}
    std::size_t number(const std::string& name) {
        const auto [found, is_new] = numbers_.emplace(name, names_.size());
        if (is_new) names_.push_back(name);
        return found->second;
    }

private:
    std::vector<std::string>& names_;
    std::unordered_map<std::string, std::size_t> numbers_;
};

/// Name of what is tested, by digest of a fold's lists; how the fold is steered is left out.
std::unordered_map<std::string, std::string> load_fold_names(const ReadStore& store) {
    std::unordered_map<std::string, std::string> names;
    for (const auto& row :
         store.ask("SELECT lists_digest, data_digest, label_set, k, assign, seed, fold, n_test FROM folds").rows) {
        std::string name = fmt::format("{} {}", as_text(row[1]), as_text(row[2]));
        for (const std::size_t c : {3U, 5U, 6U, 7U}) name += fmt::format(" {}", as_integer(row[c]).value_or(0));
        names.emplace(as_text(row[0]), name + " " + as_text(row[4]));
    }
    return names;
}

/// Jobs and groups in one pass: the rows are wide, and there may be a hundred thousand.
class JobLoader {
public:
    JobLoader(const ReadStore& store, Selection& selection)
        : selection_(selection), tested_(selection.tested_folds), fold_names_(load_fold_names(store)) {
        store.each(
            "SELECT s.job_id, j.state, j.winning_attempt_id, j.key, j.group_id, j.lists_digest, j.fold, j.seed, "
            "j.is_leaky, j.spec, a.device_kind, a.n_train, a.n_test FROM sweep_jobs AS s "
            "CROSS JOIN jobs AS j ON j.job_id = s.job_id "
            "LEFT JOIN attempts AS a ON a.attempt_id = j.winning_attempt_id "
            "WHERE s.sweep_id = ? AND s.is_stale = 0 ORDER BY s.job_id",
            {selection.sweep_id}, [&](const SqlRow& row) { add(row); });
    }

private:
    void add(const SqlRow& row) {
        SelectedJob& job = selection_.jobs.emplace_back();
        job.job_id = row.integer(0);
        job.state = row.text(1);
        job.attempt_id = row.integer(2);
        job.key = row.text(3);
        job.group = group_of(row.text(4), row);
        job.fold = std::to_string(row.integer(6));
        job.tested_fold = tested_fold_of(row.text(5), job.fold);
        job.seed = row.integer(7);
        job.is_leaky = row.integer(8) != 0;
        job.device_kind = row.text(10);
        job.n_train = row.integer(11);
        job.n_test = row.integer(12);
    }

    std::size_t group_of(std::string_view id, const SqlRow& row) {
        auto& groups = selection_.groups;
        const auto [found, is_new] = groups_.emplace(id, groups.size());
        if (is_new) groups.push_back({found->first, selection_.settings.add(row.text(9))});
        return found->second;
    }

    std::size_t tested_fold_of(std::string_view lists, const std::string& fold) {
        if (lists.empty()) return tested_.number("fold " + fold);
        const auto [found, is_new] = folds_.emplace(lists, 0);
        if (is_new) {
            const auto known = fold_names_.find(found->first);
            found->second = tested_.number(known == fold_names_.end() ? found->first : known->second);
            selection_.fold_lists.push_back(found->first);
        }
        return found->second;
    }

    Selection& selection_;
    Numbering tested_;
    std::unordered_map<std::string, std::string> fold_names_;
    std::unordered_map<std::string, std::size_t> groups_;  ///< place by id
    std::unordered_map<std::string, std::size_t> folds_;   ///< tested fold by digest of the lists
};

void apply_where(const JobFilter& filter, Selection& selection) {
    std::map<std::string, std::vector<std::string>> wanted;
    for (const auto& [key, value] : filter.where) wanted[key].push_back(value);
    std::erase_if(selection.jobs, [&](const SelectedJob& job) {
        return std::any_of(wanted.begin(), wanted.end(), [&](const auto& one) {
            const std::string& value = selection.setting(job, one.first);
            return std::none_of(one.second.begin(), one.second.end(),
                                [&](const std::string& w) { return is_same_value(value, w); });
        });
    });
    if (selection.jobs.empty()) {
        std::vector<std::string> texts;
        for (const auto& [key, value] : filter.where) texts.push_back(key + "=" + value);
        throw InputError(fmt::format("no job of sweep {} has {}; leave a condition out", selection.sweep,
                                     fmt::join(texts, " and ")));
    }
}

/// Keeps the groups that still have jobs.
void drop_empty_groups(Selection& selection) {
    std::vector<std::size_t> new_index(selection.groups.size(), 0);
    std::vector<bool> is_used(selection.groups.size(), false);
    for (const SelectedJob& job : selection.jobs) is_used[job.group] = true;
    std::vector<SelectedGroup> kept;
    for (std::size_t g = 0; g < selection.groups.size(); ++g) {
        if (!is_used[g]) continue;
        new_index[g] = kept.size();
        kept.push_back(std::move(selection.groups[g]));
    }
    selection.groups = std::move(kept);
    for (SelectedJob& job : selection.jobs) job.group = new_index[job.group];
}

void add_notes(const ReadStore& store, Selection& selection) {
    const auto stale = as_integer(
        store.ask("SELECT count(*) FROM sweep_jobs WHERE sweep_id = ? AND is_stale = 1", {selection.sweep_id})
            .rows.at(0)
            .at(0));
    if (stale.value_or(0) > 0)
        selection.notes.push_back(fmt::format(
            "{} stale jobs (same point, but other data or another version of the program) are left out.", *stale));
    if (const auto age = store.snapshot_age_s())
        selection.notes.push_back(fmt::format(
            "Read from a snapshot of {} ago: the database is on a network file system.", show_duration(*age)));
}

std::optional<double> parsed_number(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return std::nullopt;
    return value;
}

}  // namespace

std::pair<std::string, std::string> where_from(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0)
        throw InputError(fmt::format("'{}' is no condition: expected key=value, for example sampling_hz=75", text));
    return {std::string(trim(text.substr(0, equals))), std::string(trim(text.substr(equals + 1)))};
}

bool is_same_value(const std::string& shown, const std::string& wanted) {
    if (shown == wanted) return true;
    const auto a = parsed_number(shown);
    const auto b = parsed_number(wanted);
    return a && b && *a == *b;
}

const std::string& Selection::setting(const SelectedJob& job, const std::string& key) const {
    if (key == "fold") return job.fold;
    if (const std::string* found = setting(groups[job.group], key)) return *found;
    std::vector<std::string> known;
    for (std::size_t k = 0; k < settings.size(); ++k)
        if (groups[job.group].settings.value_of(k) != GroupSettings::kNone) known.push_back(settings.key(k));
    throw InputError(fmt::format("jobs have no setting '{}'{}", key, suggestion(key, known)));
}

const std::string* Selection::setting(const SelectedGroup& group, const std::string& key) const {
    return settings.find(group.settings, key);
}

std::set<std::string> Selection::values_of(const std::string& key, const std::string& fallback) const {
    std::set<std::string> values;
    for (const SelectedGroup& group : groups) {
        const std::string* found = setting(group, key);
        values.insert(found != nullptr ? *found : fallback);
    }
    return values;
}

std::string Selection::common_setting(const std::string& key, const std::string& fallback) const {
    const std::set<std::string> values = values_of(key, fallback);
    if (values.size() > 1)
        throw InputError(
            fmt::format("jobs of sweep {} differ in {}, so their parts are not the same: choose with --where {}={}",
                        sweep, key, key, *values.begin()));
    return *values.begin();
}

std::vector<std::string> Selection::varying_keys() const {
    std::vector<std::string> varying;
    for (std::size_t k = 0; k < settings.size(); ++k) {
        const std::string& key = settings.key(k);
        if (key == "fold" || key.starts_with("resources.")) continue;
        std::uint32_t first = GroupSettings::kNone;  // value of the first group that has the key
        const bool varies = std::any_of(groups.begin(), groups.end(), [&](const SelectedGroup& group) {
            const std::uint32_t value = group.settings.value_of(k);
            if (first == GroupSettings::kNone) first = value;
            return value != GroupSettings::kNone && value != first;
        });
        if (varies) varying.push_back(key);
    }
    std::sort(varying.begin(), varying.end());
    return varying;
}

std::string Selection::name_of(const SelectedGroup& group) const {
    std::string name;
    for (const auto& key : varying_keys())
        if (const std::string* value = setting(group, key))
            name += fmt::format("{}{} {}", name.empty() ? "" : ", ", key, *value);
    return name;
}

Selection Selection::with_jobs(std::vector<SelectedJob> others) const {
    return {sweep, sweep_id, settings, groups, std::move(others), tested_folds, fold_lists, notes};
}

std::string Selection::label_set() const {
    const std::string* found = groups.empty() ? nullptr : setting(groups.front(), "data.labels");
    return found != nullptr ? *found : "";
}

Selection select_jobs(const ReadStore& store, const JobFilter& filter) {
    Selection selection;
    find_sweep(store, filter.sweep, selection);
    JobLoader(store, selection);
    if (selection.jobs.empty()) throw InputError(fmt::format("sweep {} has no jobs", selection.sweep));
    apply_where(filter, selection);
    drop_empty_groups(selection);
    add_notes(store, selection);
    return selection;
}

}  // namespace leadsweep

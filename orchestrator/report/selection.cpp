#include "orchestrator/report/selection.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "orchestrator/report/table.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

/// Settings of a spec as dotted path and shown value, without a tree in between: ten thousand specs are read for a
/// table.
class Flattener : public nlohmann::json_sax<nlohmann::json> {
public:
    explicit Flattener(std::map<std::string, std::string>& settings) : settings_(settings) {}

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
        settings_.insert_or_assign(path_, std::move(list_));
        list_.clear();
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) override {
        throw InputError(fmt::format("the settings of a job in the database are no JSON: {}", error.what()));
    }

private:
    bool add(const std::string& text) {
        if (list_depth_ == 0) {
            settings_.insert_or_assign(path_, text);
        } else {
            if (list_.back() != '[') list_ += ", ";
            list_ += text;
        }
        return true;
    }

    std::map<std::string, std::string>& settings_;
    std::string path_;
    std::vector<std::size_t> lengths_;  ///< of the path outside each open object
    std::string list_;
    int list_depth_ = 0;
};

void flatten(std::string_view spec, std::map<std::string, std::string>& settings) {
    Flattener flattener(settings);
    nlohmann::json::sax_parse(spec, &flattener);
}

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

void load_groups(const ReadStore& store, Selection& selection, std::unordered_map<std::string, std::size_t>& index) {
    store.each(
        "SELECT j.group_id, j.spec FROM (SELECT min(j.job_id) AS job_id FROM sweep_jobs AS s JOIN jobs AS j USING "
        "(job_id) "
        "WHERE s.sweep_id = ? AND s.is_stale = 0 GROUP BY j.group_id) AS first JOIN jobs AS j USING (job_id) "
        "ORDER BY j.job_id",
        {selection.sweep_id}, [&](const SqlRow& row) {
            SelectedGroup group{std::string(row.text(0)), {}};
            flatten(row.text(1), group.settings);
            index.emplace(group.group_id, selection.groups.size());
            selection.groups.push_back(std::move(group));
        });
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

/// What is tested, by digest of a fold's lists; how the fold is steered is left out.
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

void load_jobs(const ReadStore& store, Selection& selection,
               const std::unordered_map<std::string, std::size_t>& index) {
    const auto fold_names = load_fold_names(store);
    Numbering tested(selection.tested_folds);
    store.each(
        "SELECT j.job_id, j.group_id, j.fold, j.state, j.is_leaky, j.winning_attempt_id, a.device_kind, "
        "j.lists_digest, "
        "a.n_train, a.n_test, j.seed "
        "FROM sweep_jobs AS s JOIN jobs AS j USING (job_id) LEFT JOIN attempts AS a ON a.attempt_id = "
        "j.winning_attempt_id "
        "WHERE s.sweep_id = ? AND s.is_stale = 0 ORDER BY j.job_id",
        {selection.sweep_id}, [&](const SqlRow& row) {
            SelectedJob job;
            job.job_id = row.integer(0);
            job.group = index.at(std::string(row.text(1)));
            job.fold = std::to_string(row.integer(2));
            job.state = row.text(3);
            job.is_leaky = row.integer(4) != 0;
            job.attempt_id = row.integer(5);
            job.device_kind = row.text(6);
            std::string lists(row.text(7));
            if (lists.empty()) lists = "fold " + job.fold;
            const auto known = fold_names.find(lists);
            job.tested_fold = tested.number(known == fold_names.end() ? lists : known->second);
            job.n_train = row.integer(8);
            job.n_test = row.integer(9);
            job.seed = row.integer(10);
            selection.jobs.push_back(std::move(job));
        });
}

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
    const auto& settings = groups[job.group].settings;
    const auto found = settings.find(key);
    if (found != settings.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [path, value] : settings) known.push_back(path);
    throw InputError(fmt::format("jobs have no setting '{}'{}", key, suggestion(key, known)));
}

std::vector<std::string> Selection::varying_keys() const {
    std::map<std::string, const std::string*> first;  ///< value of the first group that has the key
    std::set<std::string> varying;
    for (const SelectedGroup& group : groups) {
        auto known = first.begin();
        for (const auto& [key, value] : group.settings) {
            // Both maps are in the same order, and nearly always have the same keys.
            if (known == first.end() || known->first != key) known = first.emplace(key, &value).first;
            if (*known->second != value) varying.insert(key);
            ++known;
        }
    }
    std::vector<std::string> keys;
    for (const auto& key : varying)
        if (key != "fold" && !key.starts_with("resources.")) keys.push_back(key);
    return keys;
}

std::string Selection::label_set() const {
    if (groups.empty()) return "";
    const auto found = groups.front().settings.find("data.labels");
    return found == groups.front().settings.end() ? "" : found->second;
}

Selection select_jobs(const ReadStore& store, const JobFilter& filter) {
    Selection selection;
    std::unordered_map<std::string, std::size_t> index;
    find_sweep(store, filter.sweep, selection);
    load_groups(store, selection, index);
    load_jobs(store, selection, index);
    if (selection.jobs.empty()) throw InputError(fmt::format("sweep {} has no jobs", selection.sweep));
    apply_where(filter, selection);
    drop_empty_groups(selection);
    add_notes(store, selection);
    return selection;
}

}  // namespace leadsweep

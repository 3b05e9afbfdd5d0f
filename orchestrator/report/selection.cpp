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

std::string shown(const nlohmann::json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) return shortest(value.get<double>());
    if (!value.is_array()) return value.dump();
    std::vector<std::string> parts;
    for (const auto& part : value) parts.push_back(shown(part));
    return fmt::format("[{}]", fmt::join(parts, ", "));
}

void flatten(const nlohmann::json& json, const std::string& path, std::map<std::string, std::string>& settings) {
    if (!json.is_object()) {
        settings[path] = shown(json);
        return;
    }
    for (const auto& [key, value] : json.items()) flatten(value, path.empty() ? key : path + "." + key, settings);
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
    // SQLite gives the bare column `spec` from the row that holds the minimum.
    const SqlResult rows = store.ask(
        "SELECT j.group_id, j.spec, min(j.job_id) FROM sweep_jobs AS s JOIN jobs AS j USING (job_id) "
        "WHERE s.sweep_id = ? AND s.is_stale = 0 GROUP BY j.group_id ORDER BY 3",
        {selection.sweep_id});
    for (const auto& row : rows.rows) {
        SelectedGroup group{as_text(row[0]), {}};
        flatten(nlohmann::json::parse(as_text(row[1])), "", group.settings);
        index.emplace(group.group_id, selection.groups.size());
        selection.groups.push_back(std::move(group));
    }
}

void load_jobs(const ReadStore& store, Selection& selection,
               const std::unordered_map<std::string, std::size_t>& index) {
    SqlResult rows = store.ask(
        "SELECT j.job_id, j.group_id, j.fold, j.state, j.is_leaky, j.winning_attempt_id, a.device_kind "
        "FROM sweep_jobs AS s JOIN jobs AS j USING (job_id) LEFT JOIN attempts AS a ON a.attempt_id = "
        "j.winning_attempt_id "
        "WHERE s.sweep_id = ? AND s.is_stale = 0 ORDER BY j.job_id",
        {selection.sweep_id});
    for (const auto& row : rows.rows) {
        SelectedJob job;
        job.job_id = *as_integer(row[0]);
        job.group = index.at(as_text(row[1]));
        job.fold = std::to_string(as_integer(row[2]).value_or(0));
        job.state = as_text(row[3]);
        job.is_leaky = as_integer(row[4]).value_or(0) != 0;
        job.attempt_id = as_integer(row[5]).value_or(0);
        job.device_kind = as_text(row[6]);
        selection.jobs.push_back(std::move(job));
    }
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
    std::map<std::string, std::set<std::string>> values;
    for (const SelectedGroup& group : groups)
        for (const auto& [key, value] : group.settings) values[key].insert(value);
    std::vector<std::string> keys;
    for (const auto& [key, found] : values)
        if (found.size() > 1 && key != "fold" && !key.starts_with("resources.")) keys.push_back(key);
    return keys;
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

#include "orchestrator/report/layout.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace leadsweep {
namespace {

using Key = std::vector<std::string>;  ///< values of settings

/// What is repeated rather than compared, unless a row or column is asked for.
constexpr std::array<std::string_view, 2> kRepeatKeys = {"seed", "folds.seed"};

Key values_of_keys(const Selection& selection, const SelectedJob& job, const std::vector<std::string>& keys) {
    Key values;
    for (const auto& key : keys) values.push_back(selection.setting(job, key));
    return values;
}

/// One job of each group: settings of jobs that share a group differ in nothing but the fold.
std::vector<const SelectedJob*> job_of_each_group(const Selection& selection, bool every_job) {
    std::vector<const SelectedJob*> jobs;
    std::vector<bool> is_seen(selection.groups.size(), false);
    for (const SelectedJob& job : selection.jobs) {
        if (!every_job && is_seen[job.group]) continue;
        is_seen[job.group] = true;
        jobs.push_back(&job);
    }
    return jobs;
}

/// Whether jobs that agree in `keys` always agree in `candidate`.
bool is_fixed_by(const Selection& selection, const std::vector<const SelectedJob*>& jobs,
                 const std::vector<std::string>& keys, const std::string& candidate) {
    std::map<Key, std::string> seen;
    return std::all_of(jobs.begin(), jobs.end(), [&](const SelectedJob* job) {
        const std::string& value = selection.setting(*job, candidate);
        return seen.emplace(values_of_keys(selection, *job, keys), value).first->second == value;
    });
}

template <class Value>
std::size_t place_of(std::vector<Value>& values, std::map<Value, std::size_t>& places, const Value& value) {
    const auto [found, is_new] = places.emplace(value, values.size());
    if (is_new) values.push_back(value);
    return found->second;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::map<std::string, std::string> Layout::settings(std::size_t cell) const {
    std::map<std::string, std::string> found;
    const Key& row = rows[cell / columns.size()];
    for (std::size_t i = 0; i < row_keys.size(); ++i) found[row_keys[i]] = row[i];
    if (!column_key.empty()) found[column_key] = columns[cell % columns.size()];
    return found;
}

std::string Layout::label(std::size_t cell, bool with_keys) const {
    std::vector<std::string> words;
    const Key& row = rows[cell / columns.size()];
    for (std::size_t i = 0; i < row_keys.size(); ++i) words.push_back(with_keys ? row_keys[i] + " " + row[i] : row[i]);
    if (!column_key.empty()) {
        const std::string& column = columns[cell % columns.size()];
        words.push_back(with_keys ? column_key + " " + column : column);
    }
    return fmt::format("{}", fmt::join(words, ", "));
}

Layout lay_out(const Selection& selection, const std::vector<std::string>& rows, const std::string& column) {
    Layout layout;
    layout.row_keys = rows;
    layout.column_key = column;
    std::vector<std::string> shown = rows;
    if (!column.empty()) shown.push_back(column);
    const bool is_by_fold = contains(shown, "fold");
    const auto samples = job_of_each_group(selection, is_by_fold);
    for (const auto& key : selection.varying_keys()) {
        if (contains(shown, key)) continue;
        if (is_fixed_by(selection, samples, shown, key)) {
            layout.fixed_keys.push_back(key);
        } else if (std::find(kRepeatKeys.begin(), kRepeatKeys.end(), key) != kRepeatKeys.end()) {
            layout.averaged_keys.push_back(key);
        } else {
            shown.push_back(key);
            layout.row_keys.push_back(key);
        }
    }
    std::map<Key, std::size_t> row_places;
    std::map<std::string, std::size_t> column_places;
    std::vector<std::optional<std::pair<std::size_t, std::size_t>>> place_of_group(selection.groups.size());
    for (const SelectedJob& job : selection.jobs) {
        auto& place = place_of_group[job.group];
        if (!place || is_by_fold) {
            const std::string value = column.empty() ? "" : selection.setting(job, column);
            const std::size_t row = place_of(layout.rows, row_places, values_of_keys(selection, job, layout.row_keys));
            place = {row, place_of(layout.columns, column_places, value)};
        }
        layout.row_of_job.push_back(place->first);
        layout.column_of_job.push_back(place->second);
    }
    return layout;
}

std::optional<double> Group::test_train_ratio() const {
    if (n_train <= 0 || n_test <= 0) return std::nullopt;
    return static_cast<double>(n_test) / static_cast<double>(n_train);
}

std::vector<Group> groups_of(const Selection& selection, const Layout& layout) {
    std::vector<Group> groups(layout.cell_count());
    for (std::size_t j = 0; j < selection.jobs.size(); ++j) {
        const SelectedJob& job = selection.jobs[j];
        Group& group = groups[layout.cell_of_job(j)];
        ++group.jobs;
        group.is_leaky = group.is_leaky || job.is_leaky;
        group.job_indices.push_back(j);
        if (job.attempt_id != 0 && !contains(group.device_kinds, job.device_kind))
            group.device_kinds.push_back(job.device_kind);
        if (job.n_train > 0) {
            group.n_train += job.n_train;
            group.n_test += job.n_test;
        }
    }
    return groups;
}

FoldValues fold_values(const Selection& selection, const Group& group, const FigureValues& figure) {
    FoldValues folds;
    for (const std::size_t index : group.job_indices) {
        const SelectedJob& job = selection.jobs[index];
        if (const auto found = figure.find(job.attempt_id); found != figure.end())
            folds.emplace_back(job.tested_fold, found->second);
    }
    std::stable_sort(folds.begin(), folds.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    FoldValues means;
    for (std::size_t begin = 0; begin < folds.size();) {
        std::size_t end = begin;
        double sum = 0;
        for (; end < folds.size() && folds[end].first == folds[begin].first; ++end) sum += folds[end].second;
        means.emplace_back(folds[begin].first, sum / static_cast<double>(end - begin));
        begin = end;
    }
    return means;
}

std::vector<double> values_of(const FoldValues& folds) {
    std::vector<double> values;
    for (const auto& [fold, value] : folds) values.push_back(value);
    return values;
}

}  // namespace leadsweep

#include "orchestrator/commands/job_names.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

#include "orchestrator/report/selection.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kMostShown = 8;
constexpr std::size_t kShortestPrefix = 4;

bool is_all(const std::string& text, const char* characters) {
    return !text.empty() && text.find_first_not_of(characters) == std::string::npos;
}

bool is_word_part(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
}

/// Whether `words` stand in `label` as whole words: "fold 1" is not in "fold 10".
bool has_words(const std::string& label, const std::string& words) {
    for (auto at = label.find(words); at != std::string::npos; at = label.find(words, at + 1)) {
        const auto end = at + words.size();
        if ((at == 0 || !is_word_part(label[at - 1]) || label[at - 1] == '.') &&
            (end == label.size() || !is_word_part(label[end])))
            return true;
    }
    return false;
}

std::string label_in(const Selection& selection, const SelectedJob& job, const std::vector<std::string>& keys) {
    std::string label = "fold " + job.fold;
    for (const auto& key : keys) label += fmt::format(", {} {}", key, selection.setting(job, key));
    return label;
}

NamedJob named(const std::vector<SqlValue>& row) {
    return {{static_cast<std::uint64_t>(as_integer(row[0]).value_or(0))},
            as_text(row[1]),
            as_text(row[2]),
            as_text(row[3]),
            as_text(row[4]),
            ""};
}

std::vector<NamedJob> ask_for_jobs(const ReadStore& store, const std::string& condition, const SqlValue& value) {
    std::vector<NamedJob> jobs;
    const std::string sql =
        "SELECT j.job_id, j.key, j.group_id, j.state, coalesce((SELECT s.name FROM sweep_jobs AS x JOIN sweeps AS s "
        "USING (sweep_id) WHERE x.job_id = j.job_id ORDER BY x.is_stale, s.registered_utc DESC LIMIT 1), '') "
        "FROM jobs AS j WHERE " +
        condition + " ORDER BY j.job_id";
    for (const auto& row : store.ask(sql, {value}).rows) jobs.push_back(named(row));
    return jobs;
}

/// Fills in the labels of jobs, sweep by sweep.
void label_jobs(const ReadStore& store, std::vector<NamedJob>& jobs) {
    std::set<std::string> sweeps;
    for (const NamedJob& job : jobs)
        if (!job.sweep.empty()) sweeps.insert(job.sweep);
    for (const std::string& sweep : sweeps) {
        const auto of_sweep = [&](const NamedJob& job) { return job.sweep == sweep; };
        try {
            const Selection selection = select_jobs(store, {sweep});
            const auto keys = selection.varying_keys();
            for (const SelectedJob& known : selection.jobs)
                for (NamedJob& job : jobs)
                    if (of_sweep(job) && job.id.value == static_cast<std::uint64_t>(known.job_id))
                        job.label = label_in(selection, known, keys);
        } catch (const InputError&) {
            // All jobs of this sweep are stale: they have ids and keys, no labels.
        }
    }
}

std::vector<NamedJob> jobs_with_label(const ReadStore& store, const std::string& name) {
    std::vector<std::string> parts;
    for (const auto& part : split(name, ',')) {
        std::string words(trim(part));
        std::replace(words.begin(), words.end(), '=', ' ');
        if (!words.empty()) parts.push_back(std::move(words));
    }
    std::vector<NamedJob> found;
    if (parts.empty()) return found;
    std::set<std::int64_t> seen;
    for (const auto& row : store.ask("SELECT name FROM sweeps ORDER BY registered_utc DESC, sweep_id DESC").rows) {
        Selection selection;
        try {
            selection = select_jobs(store, {as_text(row[0])});
        } catch (const InputError&) {
            continue;  // all its jobs are stale
        }
        const auto keys = selection.varying_keys();
        for (const SelectedJob& job : selection.jobs) {
            const std::string label = label_in(selection, job, keys);
            if (!std::all_of(parts.begin(), parts.end(), [&](const auto& part) { return has_words(label, part); }))
                continue;
            if (!seen.insert(job.job_id).second) continue;
            found.push_back({{static_cast<std::uint64_t>(job.job_id)},
                             "",
                             selection.groups[job.group].group_id,
                             job.state,
                             selection.sweep,
                             label});
        }
    }
    return found;
}

std::vector<NamedJob> matches_of(const ReadStore& store, const std::string& name) {
    if (is_all(name, "0123456789") && name.size() < 19) {
        auto found = ask_for_jobs(store, "j.job_id = ?", static_cast<std::int64_t>(std::stoll(name)));
        if (!found.empty()) return found;
    }
    if (is_all(name, "0123456789abcdef") && name.size() >= kShortestPrefix) {
        auto found = ask_for_jobs(store, "j.key GLOB ?", name + "*");
        if (!found.empty()) return found;
    }
    return jobs_with_label(store, name);
}

NamedJob single(const ReadStore& store, const std::string& name, std::vector<NamedJob> found) {
    if (found.empty())
        throw InputError(
            fmt::format("no job is called '{}': expected an id, at least {} characters of a key, or words of its label "
                        "(\"fold 2, loss bce\"); `leadsweep query \"SELECT job_id, state, fold, loss FROM runs\"` "
                        "lists them",
                        name, kShortestPrefix));
    if (found.size() == 1) {
        if (found[0].key.empty())
            found = ask_for_jobs(store, "j.job_id = ?", static_cast<std::int64_t>(found[0].id.value));
        label_jobs(store, found);
        return found[0];
    }
    const std::size_t total = found.size();
    found.resize(std::min(total, kMostShown));
    label_jobs(store, found);
    std::string list;
    for (const NamedJob& job : found)
        list += fmt::format("\n  {}  {}, {} ({})", job.id.value, job.sweep, job.label, job.state);
    if (total > found.size()) list += fmt::format("\n  and {} more", total - found.size());
    throw InputError(fmt::format("'{}' could be any of {} jobs; name one by its id:{}", name, total, list));
}

}  // namespace

NamedJob find_job(const ReadStore& store, const std::string& name) {
    return single(store, name, matches_of(store, name));
}

std::vector<JobId> find_jobs(const ReadStore& store, const std::vector<std::string>& names) {
    std::set<JobId> jobs;
    std::vector<std::string> problems;
    for (const auto& name : names) {
        const bool may_be_group = is_all(name, "0123456789abcdef") && name.size() >= kShortestPrefix;
        const auto group =
            may_be_group ? ask_for_jobs(store, "j.group_id GLOB ?", name + "*") : std::vector<NamedJob>();
        const bool is_one_group = !group.empty() && std::all_of(group.begin(), group.end(), [&](const NamedJob& job) {
            return job.group == group[0].group;
        });
        auto found = matches_of(store, name);
        if (found.empty() && is_one_group) found = group;
        try {
            if (found.empty() || !is_one_group) found = {single(store, name, std::move(found))};
            for (const NamedJob& job : found) jobs.insert(job.id);
        } catch (const InputError& error) {
            problems.push_back(error.what());
        }
    }
    if (!problems.empty()) throw InputError(problems);
    return {jobs.begin(), jobs.end()};
}

std::vector<JobId> jobs_of_sweep(const ReadStore& store, const std::string& sweep) {
    std::vector<JobId> jobs;
    for (const SelectedJob& job : select_jobs(store, {sweep}).jobs)
        jobs.push_back({static_cast<std::uint64_t>(job.job_id)});
    return jobs;
}

}  // namespace leadsweep

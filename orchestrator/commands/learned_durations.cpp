#include "orchestrator/commands/learned_durations.hpp"

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <tuple>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep {
namespace {

/// Older attempts say less about this program and these devices, and reading them costs time.
constexpr std::int64_t kMostSamples = 5000;

std::string clock_time(std::time_t at) {
    std::tm parts{};
    ::localtime_r(&at, &parts);
    return fmt::format("{:%a %d %b %H:%M}", parts);
}

}  // namespace

JobFeatures features_of(const JobSpec& spec, std::int64_t n_train, const std::string& device_kind) {
    const ExplainSpec& e = spec.explain;
    return {spec.model.name,  spec.loss,
            device_kind,      fmt::format("{}/{}/{}/{}", e.method, e.segments, e.perturbations, e.records_per_class),
            spec.sampling_hz, spec.train.epochs,
            spec.model.depth, spec.model.filters,
            n_train,          spec.resources.devices};
}

DurationModel learn_durations(const ReadStore& store) {
    const SqlResult answer = store.ask(
        "SELECT j.group_id, j.spec, a.device_kind, a.seconds, coalesce(nullif(a.n_train, 0), f.n_train, 0) "
        "FROM attempts AS a JOIN jobs AS j ON j.job_id = a.job_id AND j.winning_attempt_id = a.attempt_id "
        "LEFT JOIN folds AS f USING (lists_digest) WHERE NOT coalesce(a.is_reused, 0) ORDER BY a.attempt_id DESC LIMIT "
        "?",
        {kMostSamples});
    std::map<std::string, std::optional<JobSpec>> specs;  // folds of a group are alike
    std::vector<DurationSample> samples;
    for (const auto& row : answer.rows) {
        const auto [spec, is_new] = specs.try_emplace(as_text(row[0]));
        if (is_new) {
            try {
                spec->second = job_spec_from_json(nlohmann::json::parse(as_text(row[1])));
            } catch (const std::exception&) {
                // Of a version of the program with other settings: no guide to the jobs of this one.
            }
        }
        if (spec->second)
            samples.push_back({features_of(*spec->second, as_integer(row[4]).value_or(0), as_text(row[2])),
                               as_number(row[3]).value_or(0)});
    }
    return DurationModel(samples);
}

DurationModel learn_durations(const std::string& db) {
    try {
        return learn_durations(ReadStore::open(db));
    } catch (const Error&) {
        return {};
    }
}

std::string render_price(const Plan& plan, const std::vector<std::size_t>& jobs, const DurationModel& model,
                         const PricedDevices& devices, std::time_t now) {
    if (jobs.empty()) return "\nPrice: nothing is left to do\n";
    std::vector<PlannedDuration> known;
    std::size_t samples = 0;
    SpecCursor cursor(plan.specs);
    for (const std::size_t job : jobs) {
        cursor.seek(job);
        const auto n_train = static_cast<std::int64_t>(plan.lists[plan.jobs[job].lists].train.size());
        const auto estimate = model.estimate(features_of(cursor.spec(), n_train, devices.kind));
        if (!estimate) continue;
        known.push_back({*estimate, cursor.spec().resources.devices});
        samples = std::max(samples, estimate->samples);
    }
    const std::string kind = devices.kind.empty() ? "" : devices.kind + " ";
    if (known.empty())
        return fmt::format(
            "\nPrice: {} jobs to do; no finished jobs like these yet on {}devices: their time is not known\n",
            jobs.size(), kind);
    const Price price = price_of(known, devices.count);
    const auto [low, median, high] = price.makespan_s;
    const auto at = [&](double seconds) { return clock_time(now + static_cast<std::time_t>(seconds)); };
    std::string text = fmt::format(
        "\nPrice of {} jobs on {} {}devices, as {} finished jobs like these tell (four of five sweeps lie within):\n"
        "  {:.2f} device-hours ({:.2f} to {:.2f})\n"
        "  {} ({} to {}): started now, done on {} ({} to {})\n",
        known.size(), devices.count, kind, samples, price.device_hours.median, price.device_hours.low,
        price.device_hours.high, show_duration(median), show_duration(low), show_duration(high), at(median), at(low),
        at(high));
    if (known.size() < jobs.size())
        text += fmt::format("  and {} jobs whose time is not known: no finished jobs like them yet\n",
                            jobs.size() - known.size());
    return text;
}

std::optional<std::string> time_limit_problem(const Plan& plan, const std::vector<std::size_t>& jobs,
                                              const DurationModel& model, const std::string& device_kind,
                                              double limit_s) {
    if (model.is_empty()) return std::nullopt;
    const double usable_s = limit_s - std::min(60.0, limit_s / 4);  // the rest is for checkpoints
    double longest_s = 0;
    std::size_t longest = 0;
    SpecCursor cursor(plan.specs);
    for (const std::size_t job : jobs) {
        cursor.seek(job);
        const auto n_train = static_cast<std::int64_t>(plan.lists[plan.jobs[job].lists].train.size());
        const auto estimate = model.estimate(features_of(cursor.spec(), n_train, device_kind));
        if (!estimate) continue;
        const double epoch_s =
            estimate->median_s / static_cast<double>(std::max<std::int64_t>(1, cursor.spec().train.epochs));
        if (epoch_s > longest_s) std::tie(longest_s, longest) = std::pair(epoch_s, job);
    }
    if (longest_s <= usable_s) return std::nullopt;
    return fmt::format(
        "one epoch of '{}' takes about {}, and {} of an allocation can be used: it would begin anew in each of them. "
        "Ask "
        "for more time, more devices (resources.devices), or less work an epoch",
        plan.label(longest), show_duration(longest_s), show_duration(usable_s));
}

}  // namespace leadsweep

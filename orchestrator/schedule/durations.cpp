#include "orchestrator/schedule/durations.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <queue>
#include <random>

#include <fmt/format.h>

namespace leadsweep {
namespace {

constexpr double kSmallestLogSd = 0.02;
constexpr double kNormal90 = 1.2815515655446004;  ///< 90 % quantile of the standard normal distribution

double log_work(const JobFeatures& job) {
    const auto at_least_one = [](auto value) { return std::max(1.0, static_cast<double>(value)); };
    return std::log(at_least_one(job.sampling_hz) * at_least_one(job.epochs) * at_least_one(job.n_train) *
                    at_least_one(job.depth) * at_least_one(job.filters));
}

/// Names of the groups of a job, the most specific first.
std::array<std::string, 4> groups_of(const JobFeatures& j) {
    const std::string broad = j.device_kind;
    const std::string network = fmt::format("{} {} {}", broad, j.model, j.devices);
    const std::string settings =
        fmt::format("{} {} {} {} {} {}", network, j.sampling_hz, j.epochs, j.depth, j.filters, j.explanation);
    return {settings + " " + j.loss, settings, network, broad};
}

double median_of(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// 90 % quantile of Student's t (Cornish-Fisher; within 1 % from two degrees of freedom on).
double student_90(double freedom) {
    const double z = kNormal90;
    const double z3 = z * z * z;
    const double z5 = z3 * z * z;
    const double z7 = z5 * z * z;
    return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

/// Variance of the median of n normal values, as a share of theirs.
double median_variance(std::size_t n) {
    return std::numbers::pi / (2 * static_cast<double>(n));
}

Interval interval_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
        return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
    };
    return {at(0.1), at(0.5), at(0.9)};
}

/// When the last job ends, each starting as soon as enough devices are free.
double makespan_of(const std::vector<PlannedDuration>& jobs, const std::vector<double>& seconds, std::int64_t devices) {
    std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
    for (std::int64_t i = 0; i < devices; ++i) free_at.push(0);
    double end = 0;
    for (std::size_t job = 0; job < jobs.size(); ++job) {
        const auto wanted = std::clamp<std::int64_t>(jobs[job].devices, 1, devices);
        double start = 0;
        for (std::int64_t i = 0; i < wanted; ++i) {
            start = free_at.top();  // the last one taken is the latest
            free_at.pop();
        }
        for (std::int64_t i = 0; i < wanted; ++i) free_at.push(start + seconds[job]);
        end = std::max(end, start + seconds[job]);
    }
    return end;
}

}  // namespace

DurationModel::DurationModel(const std::vector<DurationSample>& samples) {
    std::array<std::map<std::string, std::vector<double>>, kLevels> rates;
    for (const DurationSample& sample : samples) {
        if (!(sample.seconds > 0)) continue;
        const auto names = groups_of(sample.features);
        for (std::size_t level = 0; level < kLevels; ++level)
            rates[level][names[level]].push_back(std::log(sample.seconds) - log_work(sample.features));
    }
    std::size_t number = 0;
    for (std::size_t level = 0; level < kLevels; ++level)
        for (auto& [name, values] : rates[level]) {
            if (values.size() < kEnoughSamples) continue;
            Group group;
            group.samples = values.size();
            group.number = number++;
            group.log_rate = median_of(values);
            double squares = 0;
            for (const double value : values) squares += (value - group.log_rate) * (value - group.log_rate);
            group.log_sd = std::max(kSmallestLogSd, std::sqrt(squares / static_cast<double>(values.size() - 1)));
            groups_[level].emplace(name, group);
        }
}

std::optional<DurationEstimate> DurationModel::estimate(const JobFeatures& job) const {
    if (is_empty()) return std::nullopt;
    const auto names = groups_of(job);
    for (std::size_t level = 0; level < kLevels; ++level) {
        const auto found = groups_[level].find(names[level]);
        if (found == groups_[level].end()) continue;
        const Group& group = found->second;
        const double center = group.log_rate + log_work(job);
        const double reach = student_90(static_cast<double>(group.samples - 1)) * group.log_sd *
                             std::sqrt(1 + median_variance(group.samples));
        return DurationEstimate{
            std::exp(center), std::exp(center - reach), std::exp(center + reach), group.log_sd, group.samples,
            group.number};
    }
    return std::nullopt;
}

Price price_of(const std::vector<PlannedDuration>& jobs, std::int64_t devices, std::uint64_t seed) {
    if (jobs.empty() || devices < 1) return {};
    const auto draws = std::clamp<std::size_t>(2'000'000 / jobs.size(), 20, 400);
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> hours;
    std::vector<double> spans;
    std::vector<double> seconds(jobs.size());
    for (std::size_t draw = 0; draw < draws; ++draw) {
        std::map<std::size_t, double> error_of_group;  // jobs of a group are all estimated too long, or all too short
        double device_seconds = 0;
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            const DurationEstimate& e = jobs[i].estimate;
            const auto [error, is_new] = error_of_group.try_emplace(e.group, 0.0);
            if (is_new) {
                std::student_t_distribution<double> student(static_cast<double>(e.samples - 1));
                error->second = student(random) * e.log_sd * std::sqrt(median_variance(e.samples));
            }
            seconds[i] = e.median_s * std::exp(error->second + e.log_sd * normal(random));
            device_seconds += seconds[i] * static_cast<double>(std::max<std::int64_t>(1, jobs[i].devices));
        }
        hours.push_back(device_seconds / 3600);
        spans.push_back(makespan_of(jobs, seconds, devices));
    }
    return {interval_of(std::move(hours)), interval_of(std::move(spans))};
}

}  // namespace leadsweep

// How long jobs take, learned from finished jobs that are like them. Pure: no I/O, no clock; randomness is a seed.
//
// The work of a job is sampling_hz x epochs x n_train x depth x filters. The model looks at finished jobs of the most
// specific group that has enough of them (the same configuration, then the same without its loss, then the same network
// and devices, then the same kind of device), takes the median of log seconds per work there, and the spread of the
// rest as its uncertainty.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace leadsweep {

/// What the time of a job depends on.
struct JobFeatures {
    std::string model;
    std::string loss;
    std::string device_kind;  ///< "cpu", "cuda"
    std::string explanation;  ///< any text that is equal where explaining takes equal work
    double sampling_hz = 0;
    std::int64_t epochs = 0;
    std::int64_t depth = 0;
    std::int64_t filters = 0;
    std::int64_t n_train = 0;
    std::int64_t devices = 1;
};

struct DurationSample {
    JobFeatures features;
    double seconds = 0;
};

/// Seconds of one job; the logarithm is taken as normal.
struct DurationEstimate {
    double median_s = 0;
    double low_s = 0;   ///< 10 % are shorter
    double high_s = 0;  ///< 10 % are longer
    double log_sd = 0;  ///< spread between like jobs
    std::size_t samples = 0;
    std::size_t group = 0;  ///< jobs with the same number share the error of their median
};

class DurationModel {
public:
    DurationModel() = default;
    /// Samples of no length are left out.
    explicit DurationModel(const std::vector<DurationSample>& samples);

    /// Nothing where fewer than kEnoughSamples finished jobs are like it in any way.
    std::optional<DurationEstimate> estimate(const JobFeatures& job) const;

    /// Whether it knows nothing of any job.
    bool is_empty() const { return groups_.back().empty(); }

    static constexpr std::size_t kEnoughSamples = 3;

private:
    static constexpr std::size_t kLevels = 4;
    struct Group {
        double log_rate = 0;  ///< median of log(seconds / work)
        double log_sd = 0;
        std::size_t samples = 0;
        std::size_t number = 0;
    };
    std::array<std::map<std::string, Group>, kLevels> groups_;  ///< the most specific first
};

/// A job that is still to be run.
struct PlannedDuration {
    DurationEstimate estimate;
    std::int64_t devices = 1;
};

/// 10 %, 50 % and 90 % quantiles.
struct Interval {
    double low = 0;
    double median = 0;
    double high = 0;
};

struct Price {
    Interval device_hours;
    Interval makespan_s;
};

/// The cost of running these jobs in this order, each as soon as its devices are free (at most `devices` of them at
/// once; a job that wants more gets all). Simulated with errors drawn from the estimates; the same seed gives the same
/// price.
Price price_of(const std::vector<PlannedDuration>& jobs, std::int64_t devices, std::uint64_t seed = 1);

}  // namespace leadsweep

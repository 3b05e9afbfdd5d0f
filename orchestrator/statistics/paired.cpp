#include "orchestrator/statistics/paired.hpp"

#include <cmath>
#include <cstdint>

#include <boost/math/tools/toms748_solve.hpp>

#include "orchestrator/statistics/student_t.hpp"
#include "orchestrator/statistics/summary.hpp"

namespace leadsweep {
namespace {

/// t beyond which a two-sided test at level 1 - kConfidence rejects.
double critical_t(std::int64_t n) {
    return student_t_quantile(0.5 + kConfidence / 2, static_cast<double>(n - 1));
}

/// Whether values differ by no more than rounding of numbers of this size does.
bool is_constant(const Summary& summary) {
    return *summary.sd <= 1e-14 * std::abs(*summary.mean);
}

}  // namespace

std::optional<Interval> corrected_interval(std::span<const double> values, double test_train_ratio) {
    const Summary summary = summarize(values);
    if (!summary.sd) return std::nullopt;
    const double half = critical_t(summary.n) * corrected_error(*summary.sd, summary.n, test_train_ratio);
    return Interval{*summary.mean - half, *summary.mean + half};
}

std::optional<PairedTest> corrected_t_test(std::span<const double> differences, double test_train_ratio) {
    const Summary summary = summarize(differences);
    if (!summary.sd) return std::nullopt;
    PairedTest test;
    test.n = summary.n;
    test.mean = *summary.mean;
    test.sd = *summary.sd;
    test.interval = *corrected_interval(differences, test_train_ratio);
    if (is_constant(summary)) {
        if (test.mean == 0) test.p = 1;
        return test;
    }
    test.t = test.mean / corrected_error(test.sd, test.n, test_train_ratio);
    test.p = two_sided_p(*test.t, static_cast<double>(test.n - 1));
    return test;
}

std::optional<Posterior> bayesian_correlated_t_test(std::span<const double> differences, double test_train_ratio,
                                                    double rope) {
    const Summary summary = summarize(differences);
    if (!summary.sd) return std::nullopt;
    const double mean = *summary.mean;
    if (is_constant(summary)) {
        if (mean < -rope) return Posterior{1, 0, 0};
        return mean > rope ? Posterior{0, 0, 1} : Posterior{0, 1, 0};
    }
    const double scale = corrected_error(*summary.sd, summary.n, test_train_ratio);
    const double df = static_cast<double>(summary.n - 1);
    Posterior posterior;
    posterior.worse = student_t_cdf((-rope - mean) / scale, df);
    posterior.better = student_t_cdf((mean - rope) / scale, df);
    posterior.equivalent = 1 - posterior.worse - posterior.better;
    return posterior;
}

double corrected_error(double sd, std::int64_t n, double test_train_ratio) {
    return sd * std::sqrt(1.0 / static_cast<double>(n) + test_train_ratio);
}

double detectable_effect(std::int64_t n) {
    const double df = static_cast<double>(n - 1);
    const double critical = critical_t(n);
    const auto missing_power = [&](double delta) {
        return 1 - noncentral_t_cdf(critical, df, delta) + noncentral_t_cdf(-critical, df, delta) - kPower;
    };
    double high = 4;
    while (missing_power(high) < 0) high *= 2;
    std::uintmax_t steps = 200;
    const auto [below, above] = boost::math::tools::toms748_solve(missing_power, 0.0, high,
                                                                  boost::math::tools::eps_tolerance<double>(48), steps);
    return (below + above) / 2;
}

}  // namespace leadsweep

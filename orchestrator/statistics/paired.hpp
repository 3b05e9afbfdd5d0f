// What can be said of fold values and of paired differences between two configurations. Folds share most of their
// training records, so their values are correlated and the plain t-test rejects far too often; everything here widens
// the variance by the ratio of tested to training records instead (Nadeau and Bengio 2003). No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace leadsweep {

inline constexpr double kConfidence = 0.95;  ///< of intervals; tests are at 1 - kConfidence
inline constexpr double kPower = 0.80;       ///< of detectable_effect()

struct Interval {
    double low = 0;
    double high = 0;
};

/// Mean ± t(n-1) * sd * sqrt(1/n + ratio). `test_train_ratio` = tested / training records of a fold, the validation
/// records counted in neither. Values of k folds, or of k folds repeated r times with fresh assignments (n = k r;
/// Bouckaert and Frank 2004). Nothing below two values.
std::optional<Interval> corrected_interval(std::span<const double> values, double test_train_ratio);

struct PairedTest {
    std::int64_t n = 0;       ///< pairs
    double mean = 0;          ///< of the differences
    double sd = 0;            ///< of the differences, divided by n - 1
    std::optional<double> t;  ///< nothing where the differences do not vary
    /// Two-sided. 1 where all differences are 0; nothing where all are the same and not 0: such values cannot be told
    /// from an error in the data.
    std::optional<double> p;
    Interval interval;  ///< of the mean difference, at kConfidence
};

/// The corrected resampled t-test (Nadeau and Bengio 2003), and its repeated form, as above. Nothing below two
/// differences.
std::optional<PairedTest> corrected_t_test(std::span<const double> differences, double test_train_ratio);

struct Posterior {
    double worse = 0;       ///< P(difference < -rope)
    double equivalent = 0;  ///< P(-rope <= difference <= rope)
    double better = 0;      ///< P(difference > rope)
};

/// The Bayesian correlated t-test (Corani and Benavoli 2015): the mean difference given the data is Student t with n -
/// 1 degrees of freedom and scale sd * sqrt(1/n + ratio). `rope` >= 0 is the half width of the region of practical
/// equivalence. Nothing below two differences.
std::optional<Posterior> bayesian_correlated_t_test(std::span<const double> differences, double test_train_ratio,
                                                    double rope);

/// Standard error of a mean over n correlated folds: sd * sqrt(1/n + ratio).
double corrected_error(double sd, std::int64_t n, double test_train_ratio);

/// The smallest true mean difference that the corrected t-test finds at level 1 - kConfidence with probability kPower,
/// in units of corrected_error(). Needs n >= 2. Takes a millisecond: call it once for each n.
double detectable_effect(std::int64_t n);

}  // namespace leadsweep

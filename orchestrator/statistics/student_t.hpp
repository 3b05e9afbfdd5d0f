// Student's t distribution, central and not: what the tests between configurations need. The numbers come from
// Boost.Math.
#pragma once

namespace leadsweep {

/// P(T <= t) with `df` > 0 degrees of freedom.
double student_t_cdf(double t, double df);
/// t with P(T <= t) = p, for 0 < p < 1.
double student_t_quantile(double p, double df);
/// 2 P(T > |t|), exact also far out in the tails.
double two_sided_p(double t, double df);
/// P(T <= t) of the noncentral distribution with noncentrality `delta`.
double noncentral_t_cdf(double t, double df, double delta);

}  // namespace leadsweep

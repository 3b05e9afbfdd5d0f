#include "orchestrator/statistics/student_t.hpp"

#include <cmath>

#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace leadsweep {

double student_t_cdf(double t, double df) {
    return boost::math::cdf(boost::math::students_t(df), t);
}

double student_t_quantile(double p, double df) {
    return boost::math::quantile(boost::math::students_t(df), p);
}

double two_sided_p(double t, double df) {
    return 2 * boost::math::cdf(boost::math::complement(boost::math::students_t(df), std::abs(t)));
}

double noncentral_t_cdf(double t, double df, double delta) {
    return boost::math::cdf(boost::math::non_central_t(df, delta), t);
}

}  // namespace leadsweep

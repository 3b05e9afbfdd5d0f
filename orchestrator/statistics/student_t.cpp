#include "orchestrator/statistics/student_t.hpp"

#include <cmath>

#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace leadsweep {

double student_t_cdf(double t, double df) {
    return boost::math::cdf(boost::math::students_t(df), t);
}

double student_t_quantile(double p, double df) {
    // A table asks for the same one thousands of times.
    struct Answer {
        double p = 0.5;
        double df = 1;
        double t = 0;
    };
    thread_local Answer last;
    if (p != last.p || df != last.df) last = {p, df, boost::math::quantile(boost::math::students_t(df), p)};
    return last.t;
}

double two_sided_p(double t, double df) {
    return 2 * boost::math::cdf(boost::math::complement(boost::math::students_t(df), std::abs(t)));
}

double noncentral_t_cdf(double t, double df, double delta) {
    return boost::math::cdf(boost::math::non_central_t(df, delta), t);
}

}  // namespace leadsweep

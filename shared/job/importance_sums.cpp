#include "shared/job/importance_sums.hpp"

#include <algorithm>
#include <cmath>

namespace leadsweep {

void ImportanceSums::add(double coefficient) {
    ++n_;
    if (coefficient > 0) ++positive_;
    if (coefficient < 0) ++negative_;
    sum_.add(coefficient);
    absolute_.add(std::abs(coefficient));
    squares_.add_product(coefficient, coefficient);
}

void ImportanceSums::merge(const ImportanceSums& other) {
    n_ += other.n_;
    positive_ += other.positive_;
    negative_ += other.negative_;
    sum_.merge(other.sum_);
    absolute_.merge(other.absolute_);
    squares_.merge(other.squares_);
}

double ImportanceSums::mean() const {
    return n_ == 0 ? 0 : sum_.value() / static_cast<double>(n_);
}

double ImportanceSums::magnitude() const {
    return n_ == 0 ? 0 : absolute_.value() / static_cast<double>(n_);
}

double ImportanceSums::sd() const {
    if (n_ < 2) return 0;
    // With m near the mean: sum of (x - mean)^2 = (squares - 2 m sum + n m^2) - (sum - n m)^2 / n, all sums exact, so
    // that what cancels leaves no rounding error behind.
    const double m = mean();
    const auto n = static_cast<double>(n_);
    ExactSum about_m = squares_;
    about_m.add_product(-2 * m, sum_.value());
    about_m.add_product(-2 * m, sum_.rest());
    about_m.add_product(m * n, m);
    about_m.add_product(std::fma(m, n, -m * n), m);
    ExactSum offset = sum_;
    offset.add_product(-m, n);
    const double deviations = about_m.value() - offset.value() * offset.value() / n;
    return std::sqrt(std::max(0.0, deviations) / (n - 1));
}

double ImportanceSums::sign_agreement() const {
    const double sum = sum_.value();
    if (n_ == 0 || sum == 0) return 0;
    return static_cast<double>(sum > 0 ? positive_ : negative_) / static_cast<double>(n_);
}

}  // namespace leadsweep

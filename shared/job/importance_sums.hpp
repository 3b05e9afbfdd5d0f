// What is summed over explained records: one cell of a lead-importance map, mergeable over records, folds and seeds.
#pragma once

#include <cstdint>

#include "shared/core/exact_sum.hpp"

namespace leadsweep {

/// The coefficients of one class, lead and segment. Sums are exact: any order and grouping of add() and merge() gives
/// the same bits. Figures of no coefficient are 0; ask n() first.
class ImportanceSums {
public:
    void add(double coefficient);
    void merge(const ImportanceSums& other);

    std::int64_t n() const { return n_; }
    double mean() const;       ///< of the signed coefficients
    double magnitude() const;  ///< mean of their absolute values
    double sd() const;         ///< standard deviation (n - 1); 0 for one
    /// Share of the coefficients whose sign is that of the mean, in [0, 1]. A coefficient or mean of 0 agrees with
    /// none.
    double sign_agreement() const;

private:
    std::int64_t n_ = 0;
    std::int64_t positive_ = 0;
    std::int64_t negative_ = 0;
    ExactSum sum_;
    ExactSum absolute_;
    ExactSum squares_;
};

}  // namespace leadsweep

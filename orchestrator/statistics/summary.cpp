#include "orchestrator/statistics/summary.hpp"

#include <cmath>

namespace leadsweep {

Summary summarize(std::span<const double> values) {
    Summary summary;
    summary.n = static_cast<std::int64_t>(values.size());
    if (values.empty()) return summary;
    double sum = 0;
    for (const double value : values) sum += value;
    const double mean = sum / static_cast<double>(values.size());
    summary.mean = mean;
    if (values.size() < 2) return summary;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    summary.sd = std::sqrt(squares / static_cast<double>(values.size() - 1));
    return summary;
}

}  // namespace leadsweep

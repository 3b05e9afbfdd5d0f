// Who won, and how sure that is: for `leadsweep best` and for the summary of the report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/significance.hpp"
#include "orchestrator/report/table.hpp"

namespace leadsweep {

struct Verdict {
    std::string metric;
    std::optional<std::size_t> best;  ///< cell with the largest mean; nothing without a value
    double mean = 0;
    std::optional<Interval> interval;
    std::int64_t folds = 0;
    Leaders leaders;
    std::size_t compared = 0;  ///< configurations with a value in every fold, the best included
    std::size_t left_out = 0;  ///< incomplete or leaky ones
};

/// Of complete honest configurations; of leaky ones only where all are.
Verdict judge(const Figures& figures, const Selection& selection, const std::vector<Group>& groups,
              const std::string& metric);

/// In words: the winner, its mean and interval, what cannot be told from it, what the folds could have shown.
std::string in_words(const Verdict& verdict, const Layout& layout);

/// One row: settings of the winner, its mean, what cannot be told from it; the words as caption.
Table as_table(const Verdict& verdict, const Selection& selection, const Layout& layout,
               const std::vector<Group>& groups);

}  // namespace leadsweep

// Which configuration stands in which cell of a table: rows and columns by settings, and the fold values behind a cell.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/report/figures.hpp"
#include "orchestrator/report/selection.hpp"
#include "orchestrator/statistics/paired.hpp"

namespace leadsweep {

/// Positions of the cells, in the order in which their jobs come.
struct Layout {
    std::vector<std::string> row_keys;           ///< requested, then those that differ besides
    std::string column_key;                      ///< "" for none
    std::vector<std::string> fixed_keys;         ///< differ too, but follow the ones shown
    std::vector<std::string> averaged_keys;      ///< seed, folds.seed: repeats of the same configuration
    std::vector<std::vector<std::string>> rows;  ///< values of row_keys
    std::vector<std::string> columns;            ///< values of column_key; one "" where there is none
    std::vector<std::size_t> row_of_job;
    std::vector<std::size_t> column_of_job;

    std::size_t cell_of_job(std::size_t job) const { return row_of_job[job] * columns.size() + column_of_job[job]; }
    std::size_t cell_count() const { return rows.size() * columns.size(); }
    /// Settings of a cell by key, the column's included.
    std::map<std::string, std::string> settings(std::size_t cell) const;
    /// "bce, 100" or "loss bce, sampling_hz 100" with keys.
    std::string label(std::size_t cell, bool with_keys) const;
};

/// Settings that differ besides the requested ones get columns of their own, unless those shown fix them. Throws
/// InputError with the nearest key.
Layout lay_out(const Selection& selection, const std::vector<std::string>& rows, const std::string& column);

/// What stands behind one cell besides its values.
struct Group {
    std::int64_t jobs = 0;  ///< k of "n of k"
    bool is_leaky = false;
    std::vector<std::string> device_kinds;
    std::vector<std::size_t> job_indices;  ///< into Selection::jobs
    std::int64_t n_train = 0;              ///< sums over finished jobs
    std::int64_t n_test = 0;

    /// Tested / training records of a fold; nothing where the attempts do not say.
    std::optional<double> test_train_ratio() const;
};

/// One for each cell of the layout.
std::vector<Group> groups_of(const Selection& selection, const Layout& layout);

/// Fold values of one cell: one a tested fold, the mean over seeds of initial weights where there are several (they
/// share records, so they are no further folds); ascending by tested fold.
using FoldValues = std::vector<std::pair<std::size_t, double>>;
FoldValues fold_values(const Selection& selection, const Group& group, const FigureValues& figure);

/// Plain values of it.
std::vector<double> values_of(const FoldValues& folds);

}  // namespace leadsweep

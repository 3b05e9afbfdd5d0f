#include "orchestrator/report/page_figures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/predictions.hpp"
#include "orchestrator/statistics/calibration.hpp"
#include "orchestrator/statistics/summary.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// Four significant digits: what a figure shows, in a tenth of the bytes.
nlohmann::json rounded(double value) {
    if (!std::isfinite(value)) return nullptr;
    return std::strtod(fmt::format("{:.4g}", value).c_str(), nullptr);
}

std::optional<double> number_of(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return std::nullopt;
    return value;
}

/// The setting drawn from left to right; "" for none.
std::string axis_key(const Layout& layout) {
    std::string best;
    std::size_t most = 1;
    for (std::size_t k = 0; k < layout.row_keys.size(); ++k) {
        std::set<double> values;
        const bool is_number = std::all_of(layout.rows.begin(), layout.rows.end(), [&](const auto& row) {
            const auto value = number_of(row[k]);
            if (value) values.insert(*value);
            return value.has_value();
        });
        const bool is_rate = layout.row_keys[k] == "sampling_hz";
        if (!is_number || values.size() < 2) continue;
        if (is_rate) return layout.row_keys[k];
        if (values.size() > most) {
            most = values.size();
            best = layout.row_keys[k];
        }
    }
    return best;
}

/// One curve over epochs: what its folds say of each.
struct EpochRow {
    double sum = 0;
    double lowest = std::numeric_limits<double>::infinity();
    double highest = -std::numeric_limits<double>::infinity();
    std::int64_t n = 0;

    void add(double value) {
        sum += value;
        lowest = std::min(lowest, value);
        highest = std::max(highest, value);
        ++n;
    }
};

nlohmann::json points_of(const std::map<std::int64_t, EpochRow>& rows) {
    auto points = nlohmann::json::array();
    for (const auto& [epoch, row] : rows)
        points.push_back(
            {epoch, rounded(row.sum / static_cast<double>(row.n)), rounded(row.lowest), rounded(row.highest)});
    return points;
}

}  // namespace

nlohmann::json axis_figures(const Figures& known, const Selection& selection, const Layout& layout,
                            const std::vector<Group>& groups, const std::vector<std::string>& metrics) {
    auto figures = nlohmann::json::array();
    const std::string key = axis_key(layout);
    if (key.empty() || layout.cell_count() > kMostGroupsDrawn * 4) return figures;
    for (const auto& metric : metrics) {
        const FigureValues& values = known.values(figure_from(known.store(), metric));
        std::vector<std::string> names;
        std::map<std::string, std::map<double, nlohmann::json>> series;
        for (std::size_t cell = 0; cell < layout.cell_count(); ++cell) {
            auto settings = layout.settings(cell);
            const double x = *number_of(settings.at(key));
            settings.erase(key);
            std::vector<std::string> words;
            for (const auto& [other, value] : settings) words.push_back(other + " " + value);
            const std::string name = fmt::format("{}", fmt::join(words, ", "));
            const auto of_cell = values_of(fold_values(selection, groups[cell], values));
            const Summary summary = summarize(of_cell);
            if (!summary.mean) continue;
            const auto ratio = groups[cell].test_train_ratio();
            const auto interval = ratio ? corrected_interval(of_cell, *ratio) : std::nullopt;
            if (!series.contains(name)) names.push_back(name);
            series[name][x] = {rounded(x), rounded(*summary.mean)};
            if (interval)
                for (const double end : {interval->low, interval->high}) series[name][x].push_back(rounded(end));
        }
        auto list = nlohmann::json::array();
        for (const auto& name : names) {
            auto points = nlohmann::json::array();
            for (const auto& [x, point] : series[name]) points.push_back(point);
            list.push_back({{"name", name.empty() ? metric : name}, {"points", points}});
        }
        if (!list.empty()) figures.push_back({{"metric", metric}, {"key", key}, {"series", list}});
    }
    return figures;
}

nlohmann::json learning_curves(const ReadStore& store, const Selection& selection,
                               const std::vector<PageGroup>& groups) {
    auto figures = nlohmann::json::array();
    for (const PageGroup& one : groups) {
        std::map<std::int64_t, EpochRow> train;
        std::map<std::int64_t, EpochRow> validation;
        std::map<std::int64_t, EpochRow> auroc;
        for (const std::size_t index : one.group->job_indices) {
            if (selection.jobs[index].attempt_id == 0) continue;
            store.each("SELECT epoch, train_loss, validation_loss, macro_auroc FROM epochs WHERE attempt_id = ?",
                       {selection.jobs[index].attempt_id}, [&](const SqlRow& row) {
                           if (!row.is_null(1)) train[row.integer(0)].add(row.number(1));
                           if (!row.is_null(2)) validation[row.integer(0)].add(row.number(2));
                           if (!row.is_null(3)) auroc[row.integer(0)].add(row.number(3));
                       });
        }
        if (train.empty() && validation.empty()) continue;
        figures.push_back({{"name", one.label},
                           {"train", points_of(train)},
                           {"validation", points_of(validation)},
                           {"auroc", points_of(auroc)}});
    }
    return figures;
}

nlohmann::json prediction_figures(const ReadStore& store, const std::string& work_folder, const Selection& selection,
                                  const std::vector<PageGroup>& groups) {
    nlohmann::json figures = {{"calibration", nlohmann::json::array()},
                              {"thresholds", nlohmann::json::array()},
                              {"problems", nlohmann::json::array()}};
    for (const PageGroup& one : groups) {
        std::vector<ScoreHistogram> classes;
        for (const std::size_t index : one.group->job_indices) {
            const SelectedJob& job = selection.jobs[index];
            if (job.attempt_id == 0) continue;
            try {
                const TestPredictions predictions = load_test_predictions(store, work_folder, job.attempt_id);
                const GroupScores scores = group_scores(predictions, predictions.label_set);
                classes.resize(std::max(classes.size(), scores.groups));
                for (std::size_t i = 0; i < scores.scores.size(); ++i)
                    classes[i % scores.groups].add(scores.scores[i], scores.labels[i] != 0);
            } catch (const Error& error) {
                figures["problems"].push_back(fmt::format("{}, fold {}: {}", one.label, job.fold, error.what()));
            }
        }
        const auto reliability = calibration(classes);
        if (!reliability) continue;
        auto bins = nlohmann::json::array();
        for (const ReliabilityBin& bin : reliability->bins)
            bins.push_back({rounded(bin.score), rounded(bin.observed), bin.n});
        figures["calibration"].push_back(
            {{"name", one.label}, {"error", rounded(reliability->expected_error)}, {"points", bins}});
        auto points = nlohmann::json::array();
        for (const ThresholdPoint& p : threshold_curve(classes))
            points.push_back({rounded(p.threshold), rounded(p.f1), rounded(p.precision), rounded(p.recall)});
        figures["thresholds"].push_back({{"name", one.label}, {"points", points}});
    }
    return figures;
}

}  // namespace leadsweep

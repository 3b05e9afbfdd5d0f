// What the figures of the report are drawn from, as JSON for its scripts. Inside report/ only.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/report/layout.hpp"

namespace leadsweep {

/// A configuration in the figures: a cell of the layout, the best first.
struct PageGroup {
    std::size_t cell = 0;
    std::string label;
    const Group* group = nullptr;
};

inline constexpr std::size_t kMostGroupsDrawn = 60;

/// [{"metric", "key", "series": [{"name", "points": [[x, mean, low, high]]}]}]: each metric against the setting that
/// takes most numbers, sampling_hz before others; empty where no setting is a number that varies.
nlohmann::json axis_figures(const Figures& known, const Selection& selection, const Layout& layout,
                            const std::vector<Group>& groups, const std::vector<std::string>& metrics);

/// [{"name", "curves": {"train_loss": [[epoch, mean, lowest, highest]], ...}}] for each group with epochs.
nlohmann::json learning_curves(const ReadStore& store, const Selection& selection,
                               const std::vector<PageGroup>& groups);

/// {"calibration": [{"name", "error", "points": [[score, observed, n]]}], "thresholds": [{"name", "points": [[t, f1,
/// precision, recall]]}], "problems": [text]} from stored predictions.
nlohmann::json prediction_figures(const ReadStore& store, const std::string& work_folder, const Selection& selection,
                                  const std::vector<PageGroup>& groups);

/// {"leads", "maps": [{"name", "parts": [S], "classes": [{"code", "abbr", "n", "r2", "leads": [12], "segments":
/// [12][S]}]}], "problem"}; the first map pools all groups where all divide records alike. Its classes, or those
/// of the first few maps, have "beat": {"leads": [R], "unit", "begin_s", "step_s", "signal": [R][M], "importance":
/// [R][M]} where explanations follow the beats. "problem" where
/// their files cannot be used. null where nothing was explained.
nlohmann::json lead_maps(const ReadStore& store, const std::string& work_folder, const Selection& selection,
                         const std::vector<PageGroup>& groups);

}  // namespace leadsweep

#include "orchestrator/report/figures.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/classes.hpp"

namespace leadsweep {
namespace {

[[noreturn]] void refuse_figure(const ReadStore& store, const std::string& name, bool is_of_class) {
    std::vector<std::string> known;
    const std::string sql = is_of_class ? "SELECT DISTINCT name FROM metrics WHERE class_code <> '' ORDER BY 1"
                                        : "SELECT DISTINCT name FROM metrics WHERE class_code = '' ORDER BY 1";
    for (const auto& row : store.ask(sql).rows) known.push_back(as_text(row[0]));
    throw InputError(fmt::format("no result has the metric '{}'{}; there are: {}", name, suggestion(name, known),
                                 fmt::join(known, ", ")));
}

/// Refuses a name that no result has; a database without any result has nothing to say about names.
void require_known(const ReadStore& store, const std::string& name, bool is_of_class) {
    const bool has_results = !store.ask("SELECT 1 FROM metrics LIMIT 1").rows.empty();
    if (has_results && store.ask("SELECT 1 FROM metrics WHERE name = ? LIMIT 1", {name}).rows.empty())
        refuse_figure(store, name, is_of_class);
}

/// Figure of single classes that a macro figure averages, and whether over scored groups or single classes.
struct MacroMeaning {
    std::string_view macro;
    std::string_view of_class;
    bool is_over_groups;
};
constexpr std::array<MacroMeaning, 5> kMacros = {{{"macro_f1", "f1", true},
                                                  {"macro_auroc", "auroc", true},
                                                  {"macro_auprc", "auprc", true},
                                                  {"macro_f1_tuned", "f1_tuned", true},
                                                  {"macro_f1_30", "f1", false}}};

/// Codes over which a macro figure is averaged; empty where the label set is not known to this program.
std::vector<std::pair<std::string, std::string>> codes_of(const std::string& label_set_name, bool is_over_groups) {
    std::vector<std::pair<std::string, std::string>> codes;
    try {
        const LabelSet& set = label_set(label_set_name);
        if (!is_over_groups) {
            for (const auto& one : set.classes) codes.emplace_back(one.code, one.abbreviation);
            return codes;
        }
        for (std::size_t g = 0; g < set.groups.size(); ++g)
            codes.emplace_back(set.group_code(g), set.group_abbreviation(g));
    } catch (const InputError&) {
        codes.clear();
    }
    return codes;
}

/// One finished attempt of each tested fold: labels are the same in all of them.
std::vector<std::int64_t> attempt_of_each_fold(const Selection& selection) {
    std::vector<std::int64_t> attempts(selection.tested_folds.size(), 0);
    for (const SelectedJob& job : selection.jobs)
        if (job.attempt_id != 0 && attempts[job.tested_fold] == 0) attempts[job.tested_fold] = job.attempt_id;
    std::erase(attempts, 0);
    return attempts;
}

/// Classes with tested positives in every fold, and in any.
struct TestedClasses {
    std::set<std::string> everywhere;
    std::set<std::string> anywhere;
};

TestedClasses tested_classes(const ReadStore& store, const Selection& selection, std::string_view of_class,
                             const std::set<std::string>& codes) {
    TestedClasses tested;
    bool is_first = true;
    for (const std::int64_t attempt : attempt_of_each_fold(selection)) {
        std::set<std::string> here;
        store.each(
            "SELECT class_code FROM metrics WHERE attempt_id = ? AND split = 'test' AND name = ? AND n_positive > 0",
            {attempt, std::string(of_class)}, [&](const SqlRow& row) {
                if (const std::string code(row.text(0)); codes.contains(code)) here.insert(code);
            });
        tested.anywhere.insert(here.begin(), here.end());
        if (is_first)
            tested.everywhere = here;
        else
            std::erase_if(tested.everywhere, [&](const std::string& code) { return !here.contains(code); });
        is_first = false;
    }
    return tested;
}

}  // namespace

Figure figure_from(const ReadStore& store, const std::string& text) {
    const auto colon = text.find(':');
    Figure figure{text, text.substr(0, colon), ""};
    if (colon == std::string::npos) return figure;
    const std::string word = text.substr(colon + 1);
    const auto rows = store.ask("SELECT code FROM classes WHERE code = ?1 OR abbreviation = ?1", {word}).rows;
    if (!rows.empty()) {
        figure.class_code = as_text(rows[0][0]);
        return figure;
    }
    std::vector<std::string> known;
    for (const auto& row : store.ask("SELECT abbreviation FROM classes").rows) known.push_back(as_text(row[0]));
    throw InputError(fmt::format("unknown class '{}'{}", word, suggestion(word, known)));
}

FigureValues load_figure(const ReadStore& store, std::int64_t sweep_id, const Figure& figure) {
    FigureValues values;
    bool is_found = false;
    store.each(
        "SELECT m.attempt_id, m.value FROM sweep_jobs AS s JOIN jobs AS j ON j.job_id = s.job_id "
        "JOIN metrics AS m ON m.attempt_id = j.winning_attempt_id AND m.split = 'test' AND m.class_code = ? AND m.name "
        "= ? "
        "WHERE s.sweep_id = ? AND s.is_stale = 0",
        {figure.class_code, figure.name, sweep_id}, [&](const SqlRow& row) {
            is_found = true;
            if (!row.is_null(1)) values.emplace(row.integer(0), row.number(1));
        });
    if (!is_found) require_known(store, figure.name, !figure.class_code.empty());
    return values;
}

std::vector<ClassFigures> load_class_figures(const ReadStore& store, const Selection& selection,
                                             const std::string& name) {
    std::map<std::string, ClassFigures> found;
    store.each(
        "SELECT m.class_code, m.attempt_id, m.value, m.n_positive, c.abbreviation FROM sweep_jobs AS s "
        "JOIN jobs AS j ON j.job_id = s.job_id JOIN metrics AS m ON m.attempt_id = j.winning_attempt_id "
        "LEFT JOIN classes AS c ON c.code = m.class_code "
        "WHERE s.sweep_id = ? AND s.is_stale = 0 AND m.split = 'test' AND m.class_code <> '' AND m.name = ?",
        {selection.sweep_id, name}, [&](const SqlRow& row) {
            ClassFigures& one = found[std::string(row.text(0))];
            one.code = row.text(0);
            one.abbreviation = row.is_null(4) ? row.text(0) : row.text(4);
            if (!row.is_null(2)) one.values.emplace(row.integer(1), row.number(2));
            one.positives.emplace(row.integer(1), row.integer(3));
        });
    if (found.empty()) require_known(store, name, true);
    std::vector<ClassFigures> figures;
    for (const auto& [code, abbreviation] : codes_of(selection.label_set(), true)) {
        if (const auto one = found.find(code); one != found.end()) {
            figures.push_back(std::move(one->second));
            figures.back().abbreviation = abbreviation;
        }
    }
    if (!figures.empty()) return figures;
    for (auto& [code, one] : found) figures.push_back(std::move(one));
    return figures;
}

PairedFigure paired_figure(const ReadStore& store, const Selection& selection, const Figure& figure,
                           const FigureValues& stored) {
    PairedFigure paired{stored, 0, 0};
    const auto macro =
        std::find_if(kMacros.begin(), kMacros.end(), [&](const MacroMeaning& m) { return m.macro == figure.name; });
    if (macro == kMacros.end() || !figure.class_code.empty()) return paired;
    std::set<std::string> codes;
    for (const auto& [code, abbreviation] : codes_of(selection.label_set(), macro->is_over_groups)) codes.insert(code);
    const TestedClasses tested = tested_classes(store, selection, macro->of_class, codes);
    paired.classes = tested.everywhere.size();
    paired.all_classes = tested.anywhere.size();
    if (paired.classes == paired.all_classes) return paired;
    std::unordered_map<std::int64_t, std::pair<double, std::int64_t>> sums;
    store.each(
        "SELECT m.attempt_id, m.class_code, m.value FROM sweep_jobs AS s JOIN jobs AS j ON j.job_id = s.job_id "
        "JOIN metrics AS m ON m.attempt_id = j.winning_attempt_id "
        "WHERE s.sweep_id = ? AND s.is_stale = 0 AND m.split = 'test' AND m.name = ? AND m.value IS NOT NULL",
        {selection.sweep_id, std::string(macro->of_class)}, [&](const SqlRow& row) {
            if (!tested.everywhere.contains(std::string(row.text(1)))) return;
            auto& [sum, count] = sums[row.integer(0)];
            sum += row.number(2);
            ++count;
        });
    paired.values.clear();
    for (const auto& [attempt, sum] : sums) paired.values.emplace(attempt, sum.first / static_cast<double>(sum.second));
    return paired;
}

}  // namespace leadsweep

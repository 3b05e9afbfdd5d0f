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

std::vector<std::int64_t> attempts_of(const Selection& selection) {
    std::vector<std::int64_t> attempts;
    for (const SelectedJob& job : selection.jobs)
        if (job.attempt_id != 0) attempts.push_back(job.attempt_id);
    return attempts;
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
    const auto attempts = attempt_of_each_fold(selection);
    std::map<std::string, std::size_t> folds;  // with positives, by class
    store.each_of(
        "SELECT class_code FROM metrics WHERE attempt_id = ?1 AND split = 'test' AND name = ?2 AND n_positive > 0",
        attempts, {std::string(of_class)}, [&](std::size_t, const SqlRow& row) {
            if (const std::string code(row.text(0)); codes.contains(code)) ++folds[code];
        });
    TestedClasses tested;
    for (const auto& [code, count] : folds) {
        tested.anywhere.insert(code);
        if (count == attempts.size()) tested.everywhere.insert(code);
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

Figures::Figures(const ReadStore& store, const Selection& selection)
    : store_(store), selection_(selection), attempts_(attempts_of(selection)) {
    for (std::size_t j = 0; j < selection.jobs.size(); ++j)
        if (selection.jobs[j].attempt_id != 0) jobs_.push_back(j);
}

const FigureValues& Figures::values(const Figure& figure) const {
    const auto [known, is_new] = known_.try_emplace({figure.name, figure.class_code});
    if (!is_new) return known->second;
    FigureValues& values = known->second;
    values.reserve(attempts_.size());
    bool is_found = false;
    store_.each_of(
        "SELECT value FROM metrics WHERE attempt_id = ?1 AND split = 'test' AND class_code = ?2 AND name = ?3",
        attempts_, {figure.class_code, figure.name}, [&](std::size_t i, const SqlRow& row) {
            is_found = true;
            if (!row.is_null(0)) values.emplace(attempts_[i], row.number(0));
        });
    if (!is_found) require_known(store_, figure.name, !figure.class_code.empty());
    return values;
}

std::set<std::string> Figures::names(bool of_classes) const {
    std::set<std::string> names;
    if (attempts_.empty()) return names;
    store_.each("SELECT name FROM metrics WHERE attempt_id = ? AND split = 'test' AND (class_code <> '') = ?",
                {attempts_.front(), std::int64_t{of_classes ? 1 : 0}},
                [&](const SqlRow& row) { names.emplace(row.text(0)); });
    return names;
}

std::vector<ClassFigures> Figures::of_classes(const std::string& name, const Selection& part) const {
    const auto attempts = attempts_of(part);
    std::map<std::string, ClassFigures, std::less<>> found;
    store_.each_of(
        "SELECT class_code, value, n_positive FROM metrics WHERE attempt_id = ?1 AND split = 'test' AND "
        "class_code <> '' AND name = ?2",
        attempts, {name}, [&](std::size_t i, const SqlRow& row) {
            auto one = found.find(row.text(0));
            if (one == found.end()) one = found.emplace(row.text(0), ClassFigures{}).first;
            if (!row.is_null(1)) one->second.values.emplace(attempts[i], row.number(1));
            one->second.positives.emplace(attempts[i], row.integer(2));
        });
    if (found.empty()) require_known(store_, name, true);
    std::vector<ClassFigures> figures;
    const auto take = [&](ClassFigures& one, const std::string& code, const std::string& abbreviation) {
        figures.push_back(std::move(one));
        figures.back().code = code;
        figures.back().abbreviation = abbreviation;
    };
    for (const auto& [code, abbreviation] : codes_of(part.label_set(), true))
        if (const auto one = found.find(code); one != found.end()) take(one->second, code, abbreviation);
    if (!figures.empty()) return figures;
    for (auto& [code, one] : found) {
        const auto rows = store_.ask("SELECT abbreviation FROM classes WHERE code = ?", {code}).rows;
        take(one, code, rows.empty() ? code : as_text(rows[0][0]));
    }
    return figures;
}

PairedFigure Figures::paired(const Figure& figure, const Selection& part) const {
    PairedFigure paired{values(figure), 0, 0};
    const auto macro =
        std::find_if(kMacros.begin(), kMacros.end(), [&](const MacroMeaning& m) { return m.macro == figure.name; });
    if (macro == kMacros.end() || !figure.class_code.empty()) return paired;
    std::set<std::string> codes;
    for (const auto& [code, abbreviation] : codes_of(part.label_set(), macro->is_over_groups)) codes.insert(code);
    const TestedClasses tested = tested_classes(store_, part, macro->of_class, codes);
    paired.classes = tested.everywhere.size();
    paired.all_classes = tested.anywhere.size();
    if (paired.classes == paired.all_classes) return paired;
    const auto attempts = attempts_of(part);
    std::vector<std::pair<double, std::int64_t>> sums(attempts.size());
    store_.each_of(
        "SELECT class_code, value FROM metrics WHERE attempt_id = ?1 AND split = 'test' AND name = ?2 AND value IS "
        "NOT NULL",
        attempts, {std::string(macro->of_class)}, [&](std::size_t i, const SqlRow& row) {
            if (!tested.everywhere.contains(std::string(row.text(0)))) return;
            sums[i].first += row.number(1);
            ++sums[i].second;
        });
    paired.values.clear();
    for (std::size_t i = 0; i < sums.size(); ++i)
        if (sums[i].second > 0) paired.values.emplace(attempts[i], sums[i].first / static_cast<double>(sums[i].second));
    return paired;
}

}  // namespace leadsweep

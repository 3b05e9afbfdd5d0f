#include "orchestrator/report/map.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/report/class_names.hpp"
#include "orchestrator/report/map_pool.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

constexpr double kLevel = 0.05;
constexpr const char* kChanceMark = "°";
constexpr std::string_view kSummed = "sum over segments, ";  // in the caption

MapClass finish(const std::string& code, const std::string& abbreviation, const Pooled& pooled,
                const std::vector<std::string>& leads) {
    MapClass one{code, abbreviation, pooled.n, std::nullopt, std::nullopt, {}, pooled.n_dropped};
    if (pooled.r2_n > 0) one.r2 = pooled.r2_sum.value() / static_cast<double>(pooled.r2_n);
    for (std::size_t lead = 0; lead < leads.size(); ++lead) {
        std::optional<double> value;
        if (const auto sum = pooled.weighted_sum.find(leads[lead]); sum != pooled.weighted_sum.end())
            value = sum->second.value() / static_cast<double>(pooled.lead_n.at(leads[lead]));
        if (value && (!one.top_lead || *value > *one.importance[*one.top_lead])) one.top_lead = lead;
        one.importance.push_back(value);
    }
    return one;
}

void require_known(const MapRequest& request, const LeadMap& all) {
    std::vector<std::string> known;
    for (const MapClass& one : all.classes) known.push_back(one.abbreviation.empty() ? one.code : one.abbreviation);
    for (const auto& word : request.classes) {
        if (std::any_of(all.classes.begin(), all.classes.end(),
                        [&](const MapClass& one) { return word == one.code || word == one.abbreviation; }))
            continue;
        throw InputError(fmt::format("no explained record has the class '{}'{}; there are: {}", word,
                                     suggestion(word, known), fmt::join(known, ", ")));
    }
}

/// Classes that were tested, but had no positive to explain in any fold.
void add_empty_classes(const ReadStore& store, const Selection& selection, const MapRequest& request, LeadMap& map) {
    std::map<std::string, std::pair<std::string, std::int64_t>> positives;
    for (const SelectedJob& job : selection.jobs) {
        if (job.attempt_id == 0) continue;
        const SqlResult rows = store.ask(
            "SELECT m.class_code, c.abbreviation, m.n_positive FROM metrics AS m JOIN classes AS c ON c.code = "
            "m.class_code WHERE m.attempt_id = ? AND m.split = 'test' AND m.name = 'auroc' AND m.class_code <> ''",
            {job.attempt_id});
        for (const auto& row : rows.rows) {
            auto& known = positives[as_text(row[0])];
            known.first = as_text(row[1]);
            known.second += as_integer(row[2]).value_or(0);
        }
    }
    std::vector<std::string> empty;
    for (const auto& [code, known] : positives)
        if (known.second == 0) empty.push_back(known.first);
    if (!empty.empty() && request.classes.empty())
        map.notes.push_back(
            fmt::format("No map, for want of positives in the tested folds: {}.", fmt::join(empty, ", ")));
}

/// What the test against chance says, in notes and, where a map fails it, in the title.
void add_belief(LeadMap& map) {
    std::int64_t tested = 0;
    std::int64_t failed = 0;
    for (const MapClass& one : map.classes) {
        if (one.belief.p_adjusted) ++tested;
        if (is_chance(one)) ++failed;
    }
    if (tested == 0) {
        map.notes.push_back("Not tested against chance: that needs two explained folds and two classes.");
        return;
    }
    if (failed == tested)
        map.caption = "NO BETTER THAN CHANCE: " + map.caption;
    else if (failed > 0)
        map.caption += fmt::format("; {} of {} classes are no better than chance ({})", failed, tested, kChanceMark);
    map.notes.push_back(fmt::format(
        "stability: Spearman's correlation between folds, each map less the mean over classes; p: share of {} draws of "
        "classes within folds that are as stable, adjusted by Holm over the classes. {}: p >= {}.",
        kNullDraws, kChanceMark, kLevel));
}

void add_notes(const Selection& selection, LeadMap& map) {
    const auto finished = std::count_if(selection.jobs.begin(), selection.jobs.end(),
                                        [](const SelectedJob& job) { return job.attempt_id != 0; });
    if (static_cast<std::size_t>(finished) < selection.jobs.size())
        map.notes.push_back(fmt::format("Only {} of {} jobs are finished.", finished, selection.jobs.size()));
    const auto varying = selection.varying_keys();
    if (!varying.empty())
        map.notes.push_back(
            fmt::format("Pooled over configurations that differ in {}; choose one with --where key=value.",
                        fmt::join(varying, ", ")));
    const bool has_gaps = std::any_of(map.classes.begin(), map.classes.end(), [](const MapClass& one) {
        return std::any_of(one.importance.begin(), one.importance.end(), [](const auto& v) { return !v.has_value(); });
    });
    if (has_gaps) map.notes.push_back("Empty cells: this lead was not explained for this class.");
    map.notes.insert(map.notes.end(), selection.notes.begin(), selection.notes.end());
}

}  // namespace

bool is_chance(const MapClass& one) {
    return one.belief.p_adjusted && *one.belief.p_adjusted >= kLevel;
}

double largest_magnitude(const LeadMap& map) {
    double largest = 0;
    for (const MapClass& one : map.classes)
        for (const auto& value : one.importance)
            if (value) largest = std::max(largest, std::abs(*value));
    return largest;
}

int decimals_for(double largest) {
    if (largest >= 10) return 1;
    if (largest >= 1) return 2;
    return largest >= 0.1 ? 3 : 4;
}

namespace {

std::string label_of(const MapClass& one) {
    return is_chance(one) ? one.abbreviation + " " + kChanceMark : one.abbreviation;
}

std::string shown_importance(const std::optional<double>& value, int decimals) {
    return value ? fmt::format("{:+.{}f}", *value, decimals) : "";
}

std::string shown(const std::optional<double>& value, int decimals) {
    return value ? fmt::format("{:.{}f}", *value, decimals) : "-";
}

Cell figure_cell(const std::optional<double>& value, int decimals) {
    return {value ? fmt::format("{:.{}f}", *value, decimals) : "", {value ? CellValue(*value) : CellValue()}};
}

/// Colours of the 256-colour palette from "against" (blue) over near white to "for" (orange); apart for every common
/// form of colour blindness, since blue and orange differ in brightness order along both arms.
constexpr std::array<int, 9> kBackgrounds = {25, 68, 110, 153, 255, 223, 215, 208, 166};

std::string coloured(const std::string& text, double value, double largest) {
    const double scaled = largest > 0 ? value / largest : 0;
    const auto step = static_cast<std::size_t>(std::clamp(std::lround(4 + 4 * scaled), 0L, 8L));
    const bool is_dark = step == 0 || step == 8;
    return fmt::format("\x1b[48;5;{};38;5;{}m{}\x1b[0m", kBackgrounds[step], is_dark ? 231 : 16, text);
}

std::string render_coloured(const LeadMap& map) {
    const double largest = largest_magnitude(map);
    const int decimals = decimals_for(largest);
    std::size_t label_width = 5;
    for (const MapClass& one : map.classes) label_width = std::max(label_width, shown_width(label_of(one)) + 1);
    const int cell_width = 8;
    std::string out = map.caption + "\n\n" + std::string(label_width, ' ');
    for (const auto& lead : map.leads) out += fmt::format("{:>{}} ", lead, cell_width - 1);
    out += fmt::format("{:>6}{:>7}{:>11}{:>8}  top\n", "n", "R2", "stability", "p");
    for (const MapClass& one : map.classes) {
        out += label_of(one) + std::string(label_width - shown_width(label_of(one)), ' ');
        for (const auto& value : one.importance) {
            const std::string text = fmt::format("{:>{}} ", shown_importance(value, decimals), cell_width - 1);
            out += value ? coloured(text, *value, largest) : text;
        }
        out += fmt::format("{:>6}{:>7}{:>11}{:>8}  {}\n", one.n, shown(one.r2, 2), shown(one.belief.stability, 2),
                           shown(one.belief.p_adjusted, 3), one.top_lead ? map.leads[*one.top_lead] : "-");
    }
    out += "\n" + std::string(label_width, ' ');
    for (std::size_t step = 0; step < kBackgrounds.size(); ++step) {
        const double value = largest * (static_cast<double>(step) - 4) / 4;
        out +=
            coloured(fmt::format("{:>{}} ", fmt::format("{:+.{}f}", value, decimals), cell_width - 1), value, largest);
    }
    out += "\n";
    for (const auto& note : map.notes) out += note + "\n";
    return out;
}

}  // namespace

namespace {

/// explain.target, where all jobs have the same; earlier versions explained the logit.
std::string target_of(const Selection& selection) {
    return fmt::format("{}", fmt::join(selection.values_of("explain.target", "logit"), " and "));
}

}  // namespace

bool is_wanted(const MapRequest& request, std::string_view code, std::string_view abbreviation) {
    return request.classes.empty() ||
           std::any_of(request.classes.begin(), request.classes.end(),
                       [&](const std::string& word) { return word == code || word == abbreviation; });
}

std::string caption_in_detail(const LeadMap& map) {
    std::string caption = map.caption;
    if (const auto at = caption.find(kSummed); at != std::string::npos) caption.erase(at, kSummed.size());
    return caption;
}

LeadMap lead_map(const ReadStore& store, const MapRequest& request) {
    const Selection selection = select_jobs(store, request.filter);
    const MapPool pool = pool_jobs(store, selection);
    if (pool.classes.empty() && pool.without_fit > 0)
        throw InputError(
            fmt::format("every explanation of sweep {} was left out (a fit below explain.min_r2, or records "
                        "that could not be explained): raise explain.perturbations, or lower "
                        "explain.segments or explain.min_r2",
                        selection.sweep));
    if (pool.classes.empty())
        throw InputError(fmt::format("no finished job of sweep {} has an explanation; explain.method must not be none",
                                     selection.sweep));
    const ClassNames names(store);
    LeadMap map;
    map.leads = pool.leads;
    const auto beliefs = believe(pool.folds);
    for (const auto& [code, sums] : pool.classes) {
        map.classes.push_back(finish(code, names.of(code), sums, map.leads));
        if (const auto belief = beliefs.find(code); belief != beliefs.end()) map.classes.back().belief = belief->second;
    }
    require_known(request, map);
    std::erase_if(map.classes, [&](const MapClass& one) { return !is_wanted(request, one.code, one.abbreviation); });
    std::stable_sort(map.classes.begin(), map.classes.end(),
                     [](const MapClass& a, const MapClass& b) { return a.n > b.n; });
    std::vector<std::string> conditions;
    for (const auto& [key, value] : request.filter.where) conditions.push_back(", " + key + "=" + value);
    map.caption = fmt::format("{} importance on the {} (signed, {}mean over records); sweep {}{}",
                              map.leads.size() == kLeadCount ? "Lead" : "Electrode", target_of(selection), kSummed,
                              selection.sweep, fmt::join(conditions, ""));
    add_belief(map);
    add_empty_classes(store, selection, request, map);
    add_notes(selection, map);
    std::int64_t dropped = 0;
    for (const MapClass& one : map.classes) dropped += one.n_dropped;
    if (dropped > 0)
        map.notes.push_back(
            fmt::format("{} explanations fit too poorly (explain.min_r2) or could not be made, and are "
                        "left out.",
                        dropped));
    if (pool.has_other_leads) map.notes.push_back("Leads other than the standard twelve are left out.");
    return map;
}

Table as_table(const LeadMap& map) {
    Table table;
    table.caption = map.caption;
    table.columns = {{"class", Alignment::kLeft}, {"code", Alignment::kLeft}};
    for (const auto& lead : map.leads) table.columns.push_back({lead, Alignment::kRight});
    table.columns.push_back({"n", Alignment::kRight});
    table.columns.push_back({"R2", Alignment::kRight});
    table.columns.push_back({map.leads.size() == kLeadCount ? "top lead" : "top electrode", Alignment::kLeft});
    table.columns.push_back({"stability", Alignment::kRight});
    table.columns.push_back({"p", Alignment::kRight});
    const int decimals = decimals_for(largest_magnitude(map));
    for (const MapClass& one : map.classes) {
        auto& row = table.rows.emplace_back();
        row.push_back({label_of(one), {CellValue(one.abbreviation)}});
        row.push_back(cell_of(one.code));
        for (std::size_t lead = 0; lead < one.importance.size(); ++lead) {
            const auto& value = one.importance[lead];
            row.push_back({shown_importance(value, decimals), {}, one.top_lead == lead});
            row.back().values.push_back(value ? CellValue(*value) : CellValue());
        }
        row.push_back(cell_of(one.n));
        row.push_back(figure_cell(one.r2, 2));
        row.push_back(cell_of(one.top_lead ? CellValue(map.leads[*one.top_lead]) : CellValue()));
        row.push_back(figure_cell(one.belief.stability, 2));
        row.push_back(figure_cell(one.belief.p_adjusted, 3));
    }
    table.notes = map.notes;
    return table;
}

std::string render(const LeadMap& map, TableFormat format, bool is_coloured) {
    if (format == TableFormat::kText && is_coloured) return render_coloured(map);
    return render(as_table(map), format);
}

bool wants_colour(int descriptor) {
    const char* no_colour = std::getenv("NO_COLOR");
    if (no_colour != nullptr && *no_colour != '\0') return false;
    const char* terminal = std::getenv("TERM");
    if (terminal != nullptr && std::string_view(terminal) == "dumb") return false;
    return isatty(descriptor) == 1;
}

}  // namespace leadsweep

#include "orchestrator/report/map.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

/// Sums over jobs, weighted by their explained records.
struct Pooled {
    std::int64_t n = 0;
    double r2_sum = 0;
    std::int64_t r2_n = 0;
    std::array<double, kLeadCount> weighted_sum{};
    std::array<std::int64_t, kLeadCount> lead_n{};
};

std::map<std::string, Pooled> pool(const ReadStore& store, const Selection& selection, bool& has_other_leads) {
    std::map<std::string, Pooled> classes;
    for (const SelectedJob& job : selection.jobs) {
        if (job.attempt_id == 0) continue;
        std::map<std::string, std::int64_t> n_of_class;
        const SqlResult rows = store.ask(
            "SELECT class_code, lead, sum(importance), max(n), avg(r2) FROM lead_importance "
            "WHERE attempt_id = ? AND n > 0 GROUP BY class_code, lead",
            {job.attempt_id});
        for (const auto& row : rows.rows) {
            const auto lead = find_lead(as_text(row[1]));
            const auto importance = as_number(row[2]);
            const std::int64_t n = as_integer(row[3]).value_or(0);
            if (!lead) {
                has_other_leads = true;
                continue;
            }
            Pooled& pooled = classes[as_text(row[0])];
            std::int64_t& job_n = n_of_class[as_text(row[0])];
            pooled.n += std::max<std::int64_t>(n - job_n, 0);
            job_n = std::max(job_n, n);
            if (importance) {
                pooled.weighted_sum[*lead] += static_cast<double>(n) * *importance;
                pooled.lead_n[*lead] += n;
            }
            if (const auto r2 = as_number(row[4])) {
                pooled.r2_sum += static_cast<double>(n) * *r2;
                pooled.r2_n += n;
            }
        }
    }
    return classes;
}

MapClass finish(const std::string& code, const std::string& abbreviation, const Pooled& pooled) {
    MapClass one{code, abbreviation, pooled.n, std::nullopt, std::nullopt, {}};
    if (pooled.r2_n > 0) one.r2 = pooled.r2_sum / static_cast<double>(pooled.r2_n);
    for (std::size_t lead = 0; lead < kLeadCount; ++lead) {
        std::optional<double> value;
        if (pooled.lead_n[lead] > 0) value = pooled.weighted_sum[lead] / static_cast<double>(pooled.lead_n[lead]);
        if (value && (!one.top_lead || *value > *one.importance[*one.top_lead])) one.top_lead = lead;
        one.importance.push_back(value);
    }
    return one;
}

bool is_wanted(const MapRequest& request, const MapClass& one) {
    return request.classes.empty() ||
           std::any_of(request.classes.begin(), request.classes.end(),
                       [&](const std::string& word) { return word == one.code || word == one.abbreviation; });
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

std::string shown_importance(const std::optional<double>& value, int decimals) {
    return value ? fmt::format("{:+.{}f}", *value, decimals) : "";
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
    for (const MapClass& one : map.classes) label_width = std::max(label_width, shown_width(one.abbreviation));
    const int cell_width = 8;
    std::string out = map.caption + "\n\n" + std::string(label_width, ' ');
    for (const auto& lead : map.leads) out += fmt::format("{:>{}} ", lead, cell_width - 1);
    out += fmt::format("{:>6}{:>7}  top\n", "n", "R2");
    for (const MapClass& one : map.classes) {
        out += one.abbreviation + std::string(label_width - shown_width(one.abbreviation), ' ');
        for (const auto& value : one.importance) {
            const std::string text = fmt::format("{:>{}} ", shown_importance(value, decimals), cell_width - 1);
            out += value ? coloured(text, *value, largest) : text;
        }
        out += fmt::format("{:>6}{:>7}  {}\n", one.n, one.r2 ? fmt::format("{:.2f}", *one.r2) : "-",
                           one.top_lead ? map.leads[*one.top_lead] : "-");
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

LeadMap lead_map(const ReadStore& store, const MapRequest& request) {
    const Selection selection = select_jobs(store, request.filter);
    bool has_other_leads = false;
    const auto pooled = pool(store, selection, has_other_leads);
    if (pooled.empty())
        throw InputError(fmt::format("no finished job of sweep {} has an explanation; explain.method must not be none",
                                     selection.sweep));
    std::map<std::string, std::string> abbreviations;
    for (const auto& row : store.ask("SELECT code, abbreviation FROM classes").rows)
        abbreviations.emplace(as_text(row[0]), as_text(row[1]));
    LeadMap map;
    map.leads = standard_lead_names();
    for (const auto& [code, sums] : pooled) {
        const auto known = abbreviations.find(code);
        map.classes.push_back(finish(code, known == abbreviations.end() ? code : known->second, sums));
    }
    require_known(request, map);
    std::erase_if(map.classes, [&](const MapClass& one) { return !is_wanted(request, one); });
    std::stable_sort(map.classes.begin(), map.classes.end(),
                     [](const MapClass& a, const MapClass& b) { return a.n > b.n; });
    std::vector<std::string> conditions;
    for (const auto& [key, value] : request.filter.where) conditions.push_back(", " + key + "=" + value);
    map.caption = fmt::format("Lead importance on the logit (signed, sum over segments, mean over records); sweep {}{}",
                              selection.sweep, fmt::join(conditions, ""));
    add_notes(selection, map);
    if (has_other_leads) map.notes.push_back("Leads other than the standard twelve are left out.");
    return map;
}

Table as_table(const LeadMap& map) {
    Table table;
    table.caption = map.caption;
    table.columns = {{"class", Alignment::kLeft}, {"code", Alignment::kLeft}};
    for (const auto& lead : map.leads) table.columns.push_back({lead, Alignment::kRight});
    table.columns.push_back({"n", Alignment::kRight});
    table.columns.push_back({"R2", Alignment::kRight});
    table.columns.push_back({"top lead", Alignment::kLeft});
    const int decimals = decimals_for(largest_magnitude(map));
    for (const MapClass& one : map.classes) {
        auto& row = table.rows.emplace_back();
        row.push_back(cell_of(one.abbreviation));
        row.push_back(cell_of(one.code));
        for (std::size_t lead = 0; lead < one.importance.size(); ++lead) {
            const auto& value = one.importance[lead];
            row.push_back({shown_importance(value, decimals), {}, one.top_lead == lead});
            row.back().values.push_back(value ? CellValue(*value) : CellValue());
        }
        row.push_back(cell_of(one.n));
        row.push_back({one.r2 ? fmt::format("{:.2f}", *one.r2) : "", {one.r2 ? CellValue(*one.r2) : CellValue()}});
        row.push_back(cell_of(one.top_lead ? CellValue(map.leads[*one.top_lead]) : CellValue()));
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

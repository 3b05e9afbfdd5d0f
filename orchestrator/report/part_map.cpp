#include "orchestrator/report/part_map.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/core/exact_sum.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

/// Weighted by explained records, in exact sums.
struct PooledPart {
    ExactSum importance;
    ExactSum agreement;
    std::int64_t n = 0;
    std::int64_t agreement_n = 0;
};

using Parts = std::map<std::pair<std::string, std::int64_t>, PooledPart>;

/// Adds one job's rows of the class; returns its explained records.
std::int64_t add_job(const ReadStore& store, std::int64_t attempt, const std::string& code, Parts& parts) {
    const SqlResult rows = store.ask(
        "SELECT lead, segment, importance, sign_agreement, n FROM lead_importance WHERE attempt_id = ? AND class_code "
        "= ? "
        "AND n > 0",
        {attempt, code});
    std::int64_t most = 0;
    for (const auto& row : rows.rows) {
        const std::int64_t n = as_integer(row[4]).value_or(0);
        PooledPart& part = parts[{as_text(row[0]), as_integer(row[1]).value_or(0)}];
        const auto importance = as_number(row[2]);
        if (!importance) continue;
        part.importance.add_product(static_cast<double>(n), *importance);
        part.n += n;
        most = std::max(most, n);
        if (const auto agreement = as_number(row[3])) {
            part.agreement.add_product(static_cast<double>(n), *agreement);
            part.agreement_n += n;
        }
    }
    return most;
}

void fill(const Parts& parts, PartMap& map) {
    for (const std::string& lead : map.leads) {
        auto& importance = map.importance.emplace_back(map.parts.size());
        auto& agreement = map.sign_agreement.emplace_back(map.parts.size());
        for (std::size_t s = 0; s < map.parts.size(); ++s) {
            const auto found = parts.find({lead, static_cast<std::int64_t>(s)});
            if (found == parts.end() || found->second.n == 0) continue;
            importance[s] = found->second.importance.value() / static_cast<double>(found->second.n);
            if (found->second.agreement_n > 0)
                agreement[s] = found->second.agreement.value() / static_cast<double>(found->second.agreement_n);
        }
    }
}

}  // namespace

std::vector<std::string> part_names(const std::string& align, double window_s, std::int64_t segments) {
    if (align == "beats") return {"P", "QRS", "ST-T", "rest"};
    std::vector<std::string> names;
    if (align == "beat_time") {
        for (int begin_ms = -250; begin_ms < 450; begin_ms += 50) names.push_back(fmt::format("{:+d} ms", begin_ms));
        names.emplace_back("rest");
        return names;
    }
    const double each = window_s / static_cast<double>(segments);
    for (std::int64_t s = 0; s < segments; ++s)
        names.push_back(
            fmt::format("{:.3g}-{:.3g} s", each * static_cast<double>(s), each * static_cast<double>(s + 1)));
    return names;
}

PartMap part_map(const ReadStore& store, const MapRequest& request) {
    if (request.classes.size() != 1) throw InputError("the parts of one class are shown: name it with --class");
    const LeadMap whole = lead_map(store, request);
    const MapClass& one = whole.classes.at(0);
    const Selection selection = select_jobs(store, request.filter);
    PartMap map;
    map.caption = fmt::format("{}: {}", one.abbreviation, caption_in_detail(whole));
    map.leads = whole.leads;
    map.parts = part_names(selection.common_setting("explain.align", "window"),
                           std::stod(selection.common_setting("data.window_s", "10")),
                           std::stoll(selection.common_setting("explain.segments", "10")));
    Parts parts;
    for (const SelectedJob& job : selection.jobs)
        if (job.attempt_id != 0) map.n += add_job(store, job.attempt_id, one.code, parts);
    fill(parts, map);
    map.r2 = one.r2;
    map.notes = whole.notes;
    return map;
}

Table as_table(const PartMap& map) {
    double largest = 0;
    for (const auto& row : map.importance)
        for (const auto& value : row)
            if (value) largest = std::max(largest, std::abs(*value));
    const int decimals = decimals_for(largest);
    Table table;
    table.caption =
        fmt::format("{}; n = {}{}", map.caption, map.n, map.r2 ? fmt::format(", R2 = {:.2f}", *map.r2) : "");
    table.columns.push_back({map.leads.size() == kLeadCount ? "lead" : "electrode", Alignment::kLeft});
    for (const std::string& part : map.parts) table.columns.push_back({part, Alignment::kRight, {"mean", "agreement"}});
    for (std::size_t lead = 0; lead < map.leads.size(); ++lead) {
        auto& row = table.rows.emplace_back();
        row.push_back(cell_of(map.leads[lead]));
        for (std::size_t s = 0; s < map.parts.size(); ++s) {
            const auto& value = map.importance[lead][s];
            const auto& agreement = map.sign_agreement[lead][s];
            Cell cell{value ? fmt::format("{:+.{}f}", *value, decimals) : "", {}};
            cell.values = {value ? CellValue(*value) : CellValue(), agreement ? CellValue(*agreement) : CellValue()};
            cell.is_best = value && *value > 0 && *value == largest;
            row.push_back(std::move(cell));
        }
    }
    table.notes = map.notes;
    return table;
}

}  // namespace leadsweep

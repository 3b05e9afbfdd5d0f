#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <span>

#include <fmt/format.h>

#include "orchestrator/report/beat_map.hpp"
#include "orchestrator/report/class_names.hpp"
#include "orchestrator/report/page_figures.hpp"
#include "orchestrator/report/part_map.hpp"
#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kMostMapsWithSegments = 24;
constexpr std::size_t kMostMapsWithBeats = 2;  ///< each takes a third of a megabyte

/// Importance of one class, summed over explained records.
struct ClassSums {
    std::map<std::pair<std::size_t, std::int64_t>, std::pair<double, std::int64_t>> cells;  ///< by lead and segment
    std::int64_t records = 0;
    double r2_sum = 0;
    std::int64_t r2_n = 0;
};
using MapSums = std::map<std::string, ClassSums>;

nlohmann::json short_number(double value) {
    return std::strtod(fmt::format("{:.3g}", value).c_str(), nullptr);
}

void add_attempt(const ReadStore& store, std::int64_t attempt, MapSums& sums) {
    std::map<std::string, std::int64_t> records;
    store.each(
        "SELECT class_code, lead, segment, importance, n, r2 FROM lead_importance WHERE attempt_id = ? AND n > 0 AND "
        "importance IS NOT NULL",
        {attempt}, [&](const SqlRow& row) {
            const auto lead = find_lead(std::string(row.text(1)));
            if (!lead) return;
            const std::string code(row.text(0));
            ClassSums& one = sums[code];
            const std::int64_t n = row.integer(4);
            auto& [sum, count] = one.cells[{*lead, row.integer(2)}];
            sum += row.number(3) * static_cast<double>(n);
            count += n;
            std::int64_t& seen = records[code];
            one.records += std::max<std::int64_t>(n - seen, 0);
            seen = std::max(seen, n);
            if (!row.is_null(5)) {
                one.r2_sum += row.number(5) * static_cast<double>(n);
                one.r2_n += n;
            }
        });
}

nlohmann::json classes_of(const MapSums& sums, const ClassNames& names, bool has_segments) {
    std::vector<std::pair<std::int64_t, std::string>> order;
    for (const auto& [code, one] : sums) order.emplace_back(-one.records, code);
    std::sort(order.begin(), order.end());
    auto classes = nlohmann::json::array();
    for (const auto& [minus_n, code] : order) {
        const ClassSums& one = sums.at(code);
        std::int64_t segments = 0;
        for (const auto& [place, cell] : one.cells) segments = std::max(segments, place.second + 1);
        std::vector<nlohmann::json> leads(kLeadCount);
        std::vector<nlohmann::json> by_segment(kLeadCount);
        for (std::size_t lead = 0; lead < kLeadCount; ++lead) {
            double total = 0;
            bool is_known = false;
            auto row = nlohmann::json::array();
            for (std::int64_t segment = 0; segment < segments; ++segment) {
                const auto cell = one.cells.find({lead, segment});
                if (cell == one.cells.end()) {
                    row.push_back(nullptr);
                    continue;
                }
                const double mean = cell->second.first / static_cast<double>(cell->second.second);
                total += mean;
                is_known = true;
                row.push_back(short_number(mean));
            }
            leads[lead] = is_known ? short_number(total) : nlohmann::json();
            by_segment[lead] = std::move(row);
        }
        nlohmann::json entry = {{"code", code},
                                {"abbr", names.of(code)},
                                {"n", one.records},
                                {"leads", leads}};
        if (one.r2_n > 0) entry["r2"] = short_number(one.r2_sum / static_cast<double>(one.r2_n));
        if (has_segments) entry["segments"] = by_segment;
        classes.push_back(std::move(entry));
    }
    return classes;
}

/// How the records of a configuration were divided: maps that differ in it cannot be added up part by part.
struct Division {
    std::vector<std::string> parts;
    std::string rows;  ///< leads or electrodes

    bool operator==(const Division&) const = default;
};

Division division_of(const Selection& selection, const PageGroup& group) {
    const SelectedGroup& settings = selection.groups[selection.jobs[group.group->job_indices.front()].group];
    const auto setting = [&](const char* key, const char* fallback) {
        const std::string* found = selection.setting(settings, key);
        return found != nullptr ? *found : std::string(fallback);
    };
    return {part_names(setting("explain.align", "window"), std::stod(setting("data.window_s", "10")),
                       std::stoll(setting("explain.segments", "10"))),
            setting("explain.space", "leads")};
}

void add(const MapSums& sums, MapSums& pooled) {
    for (const auto& [code, of_group] : sums) {
        ClassSums& all = pooled[code];
        all.records += of_group.records;
        all.r2_sum += of_group.r2_sum;
        all.r2_n += of_group.r2_n;
        for (const auto& [place, cell] : of_group.cells) {
            all.cells[place].first += cell.first;
            all.cells[place].second += cell.second;
        }
    }
}

nlohmann::json rows_of(const std::vector<std::vector<double>>& rows) {
    auto list = nlohmann::json::array();
    for (const auto& row : rows) {
        auto& numbers = list.emplace_back(nlohmann::json::array());
        for (const double value : row) numbers.push_back(std::isnan(value) ? nlohmann::json() : short_number(value));
    }
    return list;
}

/// Adds the mean beat of these configurations to each class that has one.
void add_beats(const ReadStore& store, const std::string& work_folder, const Selection& selection,
               std::span<const PageGroup> groups, nlohmann::json& classes) {
    std::vector<SelectedJob> jobs;
    for (const PageGroup& one : groups)
        for (const std::size_t index : one.group->job_indices) jobs.push_back(selection.jobs[index]);
    for (const BeatMap& beat : mean_beats(store, work_folder, selection.with_jobs(std::move(jobs))))
        for (auto& one : classes)
            if (one["code"] == beat.code)
                one["beat"] = {{"leads", beat.leads},
                               {"unit", beat.unit},
                               {"begin_s", short_number(beat.time_s.front())},
                               {"step_s", short_number(beat.time_s[1] - beat.time_s[0])},
                               {"signal", rows_of(beat.signal)},
                               {"importance", rows_of(beat.importance)}};
}

nlohmann::json map_json(const std::string& name, const Division& division, nlohmann::json classes) {
    return {{"name", name}, {"parts", division.parts}, {"classes", std::move(classes)}};
}

}  // namespace

nlohmann::json lead_maps(const ReadStore& store, const std::string& work_folder, const Selection& selection,
                         const std::vector<PageGroup>& groups) {
    const ClassNames names(store);
    MapSums pooled;
    std::vector<PageGroup> explained;
    std::vector<Division> divisions;
    auto maps = nlohmann::json::array();
    for (const PageGroup& one : groups) {
        MapSums sums;
        for (const std::size_t index : one.group->job_indices)
            if (const std::int64_t attempt = selection.jobs[index].attempt_id; attempt != 0)
                add_attempt(store, attempt, sums);
        if (sums.empty()) continue;
        add(sums, pooled);
        explained.push_back(one);
        divisions.push_back(division_of(selection, one));
        maps.push_back(map_json(one.label, divisions.back(),
                                classes_of(sums, names, maps.size() < kMostMapsWithSegments)));
    }
    if (maps.empty()) return nullptr;
    const bool are_alike =
        std::all_of(divisions.begin(), divisions.end(), [&](const Division& d) { return d == divisions.front(); });
    nlohmann::json figure = {{"leads", standard_lead_names()}};
    try {
        if (are_alike && maps.size() > 1)
            maps.insert(maps.begin(), map_json("all configurations together", divisions.front(),
                                               classes_of(pooled, names, true)));
        if (are_alike)
            add_beats(store, work_folder, selection, explained, maps[0]["classes"]);
        else
            for (std::size_t i = 0; i < std::min(maps.size(), kMostMapsWithBeats); ++i)
                add_beats(store, work_folder, selection, std::span(explained).subspan(i, 1), maps[i]["classes"]);
    } catch (const Error& error) {
        figure["problem"] = error.what();
    }
    figure["maps"] = std::move(maps);
    return figure;
}

}  // namespace leadsweep

#include "orchestrator/report/beat_map.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kTableStep = 10;  ///< moments in a column of the table for people

/// Sums over jobs, each weighted by its records.
struct LeadSums {
    std::vector<double> signal;
    std::vector<double> importance;
    std::vector<std::int64_t> records;
};

struct BeatSums {
    std::vector<std::string> rows;  ///< leads or electrodes in the order of the files
    std::map<std::string, LeadSums> leads;
    std::vector<double> time_s;
    std::string unit;
};

std::string file_of(const ReadStore& store, const std::string& work, const SelectedJob& job) {
    const auto rows = store
                          .ask(
                              "SELECT a.folder, r.path FROM attempts AS a JOIN artifacts AS r USING (attempt_id) WHERE "
                              "a.attempt_id = ? AND r.kind = 'lead_importance'",
                              {job.attempt_id})
                          .rows;
    if (rows.empty()) return "";
    return fmt::format("{}/{}/{}", work, as_text(rows[0][0]), as_text(rows[0][1]));
}

const std::string& metadata_of(const ArrayFile& file, const std::string& name, const std::string& path) {
    const auto found = file.metadata.find(name);
    if (found == file.metadata.end())
        throw InputError(
            fmt::format("{}: it has no mean beats: an earlier version explained this job. Run the sweep into a new "
                        "database, or with another explain.* setting",
                        path));
    return found->second;
}

std::vector<double> moments_of(const ArrayFile& file, std::int64_t count, const std::string& path) {
    const double begin_s = std::stod(metadata_of(file, "beat_begin_s", path));
    const double step_s = std::stod(metadata_of(file, "beat_step_s", path));
    std::vector<double> moments;
    for (std::int64_t m = 0; m < count; ++m) moments.push_back(begin_s + static_cast<double>(m) * step_s);
    return moments;
}

void add_lead(LeadSums& sums, std::span<const float> signal, std::span<const float> importance,
              std::span<const std::int32_t> records) {
    sums.signal.resize(records.size(), 0);
    sums.importance.resize(records.size(), 0);
    sums.records.resize(records.size(), 0);
    for (std::size_t m = 0; m < records.size(); ++m) {
        if (records[m] == 0) continue;
        sums.signal[m] += records[m] * static_cast<double>(signal[m]);
        sums.importance[m] += records[m] * static_cast<double>(importance[m]);
        sums.records[m] += records[m];
    }
}

/// The mean beats that one job left.
struct BeatFile {
    std::string path;
    std::vector<std::string> codes;  ///< [K]
    std::vector<std::string> rows;   ///< [R] leads or electrodes
    std::vector<double> time_s;      ///< [M]
    std::string unit;
    std::vector<float> signal;          ///< [K, R, M]
    std::vector<float> importance;      ///< [K, R, M]
    std::vector<std::int32_t> records;  ///< [K, M]
};

BeatFile load_beats(const std::string& path) {
    const ArrayFile file = load_arrays(path);
    BeatFile beats;
    beats.path = path;
    beats.unit = metadata_of(file, "beat_unit", path);
    beats.codes = split(metadata_of(file, "class_codes", path), ';');
    beats.rows = split(metadata_of(file, "rows", path), ';');
    const auto& shape = file.at("beat_signal").shape;
    beats.time_s = moments_of(file, shape.empty() ? 0 : shape.back(), path);
    beats.signal = file.at("beat_signal").values<float>();
    beats.importance = file.at("beat_importance").values<float>();
    beats.records = file.at("beat_records").values<std::int32_t>();
    const std::size_t each = beats.codes.size() * beats.time_s.size();
    if (beats.signal.size() != each * beats.rows.size() || beats.importance.size() != beats.signal.size() ||
        beats.records.size() != each)
        throw InputError(fmt::format("{}: its mean beats do not fit {} classes and {} leads", path, beats.codes.size(),
                                     beats.rows.size()));
    return beats;
}

void add_class(const BeatFile& beats, std::size_t k, BeatSums& sums) {
    if (!sums.unit.empty() && (sums.unit != beats.unit || sums.time_s != beats.time_s))
        throw InputError(
            fmt::format("{}: its mean beats are in {}, others in {}: choose with --where "
                        "data.normalize=none or data.normalize=zscore",
                        beats.path, beats.unit, sums.unit));
    sums.rows = beats.rows;
    sums.unit = beats.unit;
    sums.time_s = beats.time_s;
    const std::size_t m = beats.time_s.size();
    for (std::size_t row = 0; row < beats.rows.size(); ++row) {
        const std::size_t begin = (k * beats.rows.size() + row) * m;
        add_lead(sums.leads[beats.rows[row]], std::span(beats.signal).subspan(begin, m),
                 std::span(beats.importance).subspan(begin, m), std::span(beats.records).subspan(k * m, m));
    }
}

std::vector<double> means(const std::vector<double>& sums, const std::vector<std::int64_t>& records) {
    std::vector<double> values;
    for (std::size_t m = 0; m < sums.size(); ++m)
        values.push_back(records[m] == 0 ? std::numeric_limits<double>::quiet_NaN()
                                         : sums[m] / static_cast<double>(records[m]));
    return values;
}

/// Of each class that the jobs left mean beats of, or of `code` alone if that is not empty.
std::map<std::string, BeatSums> sums_of(const ReadStore& store, const std::string& work, const Selection& selection,
                                        const std::string& code) {
    std::map<std::string, BeatSums> classes;
    for (const SelectedJob& job : selection.jobs) {
        const std::string path = job.attempt_id == 0 ? "" : file_of(store, work, job);
        if (path.empty()) continue;
        const BeatFile beats = load_beats(path);
        for (std::size_t k = 0; k < beats.codes.size(); ++k)
            if (code.empty() || beats.codes[k] == code) add_class(beats, k, classes[beats.codes[k]]);
    }
    return classes;
}

/// Fills in leads, moments, beats and records; `leads` in the order in which they are shown.
void fill(const BeatSums& sums, const std::vector<std::string>& leads, BeatMap& map) {
    map.time_s = sums.time_s;
    map.unit = sums.unit;
    map.records.assign(sums.time_s.size(), 0);
    for (const std::string& lead : leads) {
        const auto found = sums.leads.find(lead);
        if (found == sums.leads.end()) continue;
        map.leads.push_back(lead);
        map.signal.push_back(means(found->second.signal, found->second.records));
        map.importance.push_back(means(found->second.importance, found->second.records));
        for (std::size_t m = 0; m < map.records.size(); ++m)
            map.records[m] = std::max(map.records[m], found->second.records[m]);
    }
}

Cell number_cell(double value, const std::string& text) {
    if (std::isnan(value)) return {};
    return {text, {value}};
}

}  // namespace

BeatMap beat_map(const ReadStore& store, const std::string& work, const MapRequest& request) {
    if (request.classes.size() != 1) throw InputError("the mean beat of one class is shown: name it with --class");
    const Selection selection = select_jobs(store, request.filter);
    if (selection.common_setting("explain.align", "window") == "window")
        throw InputError(
            fmt::format("sweep {} was explained by parts of the window; mean beats need explain.align: "
                        "beats (P, QRS, ST-T) or beat_time (50 ms)",
                        selection.sweep));
    const LeadMap whole = lead_map(store, request);
    const MapClass& one = whole.classes.at(0);
    const auto sums = sums_of(store, work, selection, one.code);
    if (sums.empty())
        throw InputError(fmt::format("no job of sweep {} left mean beats of {}", selection.sweep, one.code));
    BeatMap map;
    map.caption = fmt::format("{} along its mean beat: {}", one.abbreviation, caption_in_detail(whole));
    map.code = one.code;
    map.abbreviation = one.abbreviation;
    map.n = one.n;
    map.r2 = one.r2;
    map.notes = whole.notes;
    fill(sums.begin()->second, whole.leads, map);
    return map;
}

std::vector<BeatMap> mean_beats(const ReadStore& store, const std::string& work, const Selection& selection) {
    std::vector<SelectedJob> jobs;
    for (const SelectedJob& job : selection.jobs) {
        const std::string* align = selection.setting(selection.groups[job.group], "explain.align");
        if (align != nullptr && *align != "window") jobs.push_back(job);
    }
    std::vector<BeatMap> maps;
    for (const auto& [code, sums] : sums_of(store, work, selection.with_jobs(std::move(jobs)), "")) {
        BeatMap& map = maps.emplace_back();
        map.code = code;
        fill(sums, sums.rows, map);
    }
    return maps;
}

namespace {

Table whole_table(const BeatMap& map) {
    Table table;
    table.columns = {{map.leads.size() == kLeadCount ? "lead" : "electrode"},
                     {"time_ms", Alignment::kRight},
                     {"signal_" + map.unit, Alignment::kRight},
                     {"importance", Alignment::kRight},
                     {"records", Alignment::kRight}};
    for (std::size_t lead = 0; lead < map.leads.size(); ++lead)
        for (std::size_t m = 0; m < map.time_s.size(); ++m)
            table.rows.push_back({cell_of(map.leads[lead]), cell_of(std::llround(map.time_s[m] * 1000)),
                                  number_cell(map.signal[lead][m], fmt::format("{:.2f}", map.signal[lead][m])),
                                  number_cell(map.importance[lead][m], fmt::format("{:+.4f}", map.importance[lead][m])),
                                  cell_of(map.records[m])});
    return table;
}

/// Leads x tenths of a second: means over the moments that have one.
Table short_table(const BeatMap& map) {
    Table table;
    table.columns = {{map.leads.size() == kLeadCount ? "lead" : "electrode"}};
    double largest = 0;
    for (std::size_t begin = 0; begin + kTableStep <= map.time_s.size(); begin += kTableStep)
        table.columns.push_back({fmt::format("{:+.0f} ms", map.time_s[begin] * 1000), Alignment::kRight});
    for (std::size_t lead = 0; lead < map.leads.size(); ++lead) {
        auto& row = table.rows.emplace_back();
        row.push_back(cell_of(map.leads[lead]));
        for (std::size_t begin = 0; begin + kTableStep <= map.time_s.size(); begin += kTableStep) {
            double sum = 0;
            int count = 0;
            for (std::size_t m = begin; m < begin + kTableStep; ++m) {
                if (std::isnan(map.importance[lead][m])) continue;
                sum += map.importance[lead][m];
                ++count;
            }
            row.push_back(count == 0 ? Cell{} : Cell{"", {sum / count}});
            if (count > 0) largest = std::max(largest, std::abs(sum / count));
        }
    }
    for (auto& row : table.rows)
        for (std::size_t i = 1; i < row.size(); ++i)
            if (!row[i].values.empty())
                row[i].text = fmt::format("{:+.{}f}", std::get<double>(row[i].values[0]), decimals_for(largest));
    return table;
}

}  // namespace

Table as_table(const BeatMap& map, bool is_whole) {
    Table table = is_whole ? whole_table(map) : short_table(map);
    table.caption =
        fmt::format("{}; n = {}{}", map.caption, map.n, map.r2 ? fmt::format(", R2 = {:.2f}", *map.r2) : "");
    table.notes = map.notes;
    return table;
}

}  // namespace leadsweep

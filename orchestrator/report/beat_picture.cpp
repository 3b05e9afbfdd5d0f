// A class along its mean beat, as a picture. The importance is drawn twice, as colour behind the beat and as a curve
// below it, so that colour is never needed.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "orchestrator/report/beat_map.hpp"
#include "orchestrator/report/map_drawing.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kRows = 3;     ///< panels one below the other: I, II, III; aVR, aVL, aVF; V1-V3; V4-V6
constexpr double kWidth = 210;       // px of a panel
constexpr double kBeatHeight = 96;   // px
constexpr double kCurveHeight = 30;  // px
constexpr double kPitchX = kWidth + 26;
constexpr double kPitchY = kBeatHeight + kCurveHeight + 36;
constexpr double kLeft = 56;

struct Range {
    double low = 0;
    double high = 0;
    void add(double value) {
        if (std::isnan(value)) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
};

/// Where a panel's moments and values lie.
struct Panel {
    double x;
    double y;
    const BeatMap& map;
    Range signal;
    double largest;  ///< importance

    double x_of(double moment) const {
        return x + moment * kWidth / static_cast<double>(std::max<std::size_t>(map.time_s.size(), 2) - 1);
    }
    double y_of_signal(double value) const {
        return y + kBeatHeight * (1 - (value - signal.low) / std::max(signal.high - signal.low, 1e-9));
    }
    double y_of_importance(double value) const {
        const double share = largest > 0 ? value / largest : 0;
        return y + kBeatHeight + 4 + kCurveHeight * (1 - share) / 2;
    }
};

/// Runs of equal importance as one rectangle each, cut at the panel's ends.
std::string bands(const Panel& panel, const std::vector<double>& importance) {
    std::string out;
    const double last = static_cast<double>(importance.size()) - 1;
    for (std::size_t begin = 0; begin < importance.size();) {
        std::size_t end = begin + 1;
        while (end < importance.size() && importance[end] == importance[begin]) ++end;
        if (!std::isnan(importance[begin])) {
            const double from = panel.x_of(std::max(0.0, static_cast<double>(begin) - 0.5));
            const double to = panel.x_of(std::min(last, static_cast<double>(end) - 0.5));
            out += fmt::format("<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{}\" fill=\"{}\"/>\n", from,
                               panel.y, to - from + 0.2, kBeatHeight,
                               map_colour(panel.largest > 0 ? importance[begin] / panel.largest : 0));
        }
        begin = end;
    }
    return out;
}

template <class Place>
std::string curve(const Panel& panel, const std::vector<double>& values, Place&& place, const char* style) {
    std::string points;
    for (std::size_t m = 0; m < values.size(); ++m)
        if (!std::isnan(values[m]))
            points += fmt::format("{:.1f},{:.1f} ", panel.x_of(static_cast<double>(m)), place(values[m]));
    return fmt::format("<polyline points=\"{}\" fill=\"none\" {}/>\n", points, style);
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
    return fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" {}/>\n", x1, y1, x2, y2, style);
}

std::string panel_at(const Panel& panel, std::size_t lead, bool is_lowest) {
    const BeatMap& map = panel.map;
    std::string out = bands(panel, map.importance[lead]);
    const double begin_s = map.time_s.front();
    const double step_s = map.time_s.size() > 1 ? map.time_s[1] - map.time_s[0] : 1;
    const double bottom = panel.y + kBeatHeight + 4 + kCurveHeight;
    for (const int ms : {-200, 0, 200, 400}) {
        const double x = panel.x_of((ms / 1000.0 - begin_s) / step_s);
        out += line(x, panel.y, x, bottom, "stroke=\"#999\" stroke-width=\"0.5\" stroke-dasharray=\"2 3\"");
        if (is_lowest) out += text_at(x, bottom + 13, "middle", fmt::format("{}", ms), " font-size=\"10\"");
    }
    const double zero = panel.y_of_importance(0);
    out += line(panel.x, zero, panel.x + kWidth, zero, "stroke=\"#999\" stroke-width=\"0.5\"");
    out += curve(
        panel, map.signal[lead], [&](double value) { return panel.y_of_signal(value); },
        "stroke=\"#111\" stroke-width=\"1.4\" stroke-linejoin=\"round\"");
    out += curve(
        panel, map.importance[lead], [&](double value) { return panel.y_of_importance(value); },
        "stroke=\"#555\" stroke-width=\"1.1\"");
    return out + text_at(panel.x, panel.y - 5, "start", map.leads[lead], " font-weight=\"bold\"");
}

/// A bar of a round height in the signal's unit, left of the first panel.
std::string signal_scale(const Panel& panel) {
    const double range = panel.signal.high - panel.signal.low;
    double step = std::pow(10, std::floor(std::log10(std::max(range, 1e-9))));
    if (range / step >= 5) step *= 2;
    const double top = panel.y_of_signal(panel.signal.low + step);
    const double x = panel.x - 8;
    const std::string unit = panel.map.unit == "uV" ? "µV" : panel.map.unit;
    return line(x, top, x, panel.y + kBeatHeight, "stroke=\"#111\" stroke-width=\"1.2\"") +
           text_at(x - 4, (top + panel.y + kBeatHeight) / 2, "end", fmt::format("{:g}", step), " font-size=\"10\"") +
           text_at(x - 4, (top + panel.y + kBeatHeight) / 2 + 12, "end", unit, " font-size=\"10\"");
}

}  // namespace

std::string draw_beats(const BeatMap& map) {
    Range signal;
    double largest = 0;
    for (std::size_t lead = 0; lead < map.leads.size(); ++lead)
        for (std::size_t m = 0; m < map.time_s.size(); ++m) {
            signal.add(map.signal[lead][m]);
            if (!std::isnan(map.importance[lead][m])) largest = std::max(largest, std::abs(map.importance[lead][m]));
        }
    const std::size_t columns = (map.leads.size() + kRows - 1) / kRows;
    const double width = kLeft + kPitchX * static_cast<double>(columns);
    const auto caption = lines_of(fmt::format("{}; n = {}, R² = {}", map.caption, map.n, figure(map.r2, 2)),
                                  static_cast<std::size_t>(width / kLetter));
    const double top = 56 + 16 * static_cast<double>(caption.size() - 1);
    std::string body = caption_at_top(caption);
    for (std::size_t lead = 0; lead < map.leads.size(); ++lead) {
        const Panel panel{kLeft + kPitchX * static_cast<double>(lead / kRows),
                          top + kPitchY * static_cast<double>(lead % kRows), map, signal, largest};
        if (lead == 0) body += signal_scale(panel);
        body += panel_at(panel, lead, lead % kRows == kRows - 1 || lead + 1 == map.leads.size());
    }
    double y = top + kPitchY * static_cast<double>(std::min(kRows, map.leads.size())) + 12;
    body += scale_at(kLeft, y, 300, largest, decimals_for(largest));
    y += 54;
    auto notes = map.notes;
    notes.insert(notes.begin(),
                 "Black: mean beat, ms from the R peak, each record less its median; one scale for all "
                 "leads. Colour, and grey curve below: mean coefficient of the part that lies there.");
    body += notes_at(y, notes, width);
    return document(map.caption, body, width, y + 6);
}

}  // namespace leadsweep

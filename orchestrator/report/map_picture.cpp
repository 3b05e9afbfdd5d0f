// The lead-importance map as a picture; numbers stand in the cells, so that colour is never needed.
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "orchestrator/report/map.hpp"
#include "orchestrator/report/map_drawing.hpp"
#include "orchestrator/report/part_map.hpp"

namespace leadsweep {
namespace {

constexpr double kCell = 44;      // px
constexpr double kPartCell = 62;  // px
constexpr double kAgreed = 0.8;   // share of the records
constexpr double kRow = 24;       // px
constexpr double kTop = 74;       // px: caption and lead names

std::string cell_at(double x, double y, const std::optional<double>& value, double largest, int decimals,
                    double width = kCell) {
    if (!value)
        return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"url(#empty)\"/>\n", x, y,
                           width - 1, kRow - 1);
    const double share = largest > 0 ? *value / largest : 0;
    return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", x, y, width - 1,
                       kRow - 1, map_colour(share)) +
           text_at(x + width / 2, y + kRow / 2 + 4, "middle", fmt::format("{:+.{}f}", *value, decimals),
                   fmt::format(" font-size=\"10\" fill=\"{}\"", ink_on(share)));
}

std::string frame_at(double x, double y, double width) {
    return fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#111\" "
        "stroke-width=\"1.5\"/>\n",
        x, y, width - 1, kRow - 1);
}

}  // namespace

std::string draw_map(const LeadMap& map) {
    const double largest = largest_magnitude(map);
    const int decimals = std::min(decimals_for(largest), 3);
    std::size_t longest = 5;
    for (const MapClass& one : map.classes) longest = std::max(longest, shown_width(one.abbreviation) + 2);
    const double left = 16 + kLetter * static_cast<double>(longest);
    const double figures = left + kCell * static_cast<double>(map.leads.size()) + 10;
    const double width = figures + 4 * 56 + 16;
    const auto caption = lines_of(map.caption, static_cast<std::size_t>(width / kLetter));
    const double top = kTop + 16 * static_cast<double>(caption.size() - 1);
    const double bottom = top + kRow * static_cast<double>(map.classes.size());
    std::string body;
    body += caption_at_top(caption);
    for (std::size_t lead = 0; lead < map.leads.size(); ++lead)
        body += text_at(left + kCell * (static_cast<double>(lead) + 0.5), top - 8, "middle", map.leads[lead]);
    constexpr std::array<const char*, 4> kFigures = {"n", "R²", "stability", "p"};
    for (std::size_t i = 0; i < kFigures.size(); ++i)
        body += text_at(figures + 56 * static_cast<double>(i + 1) - 6, top - 8, "end", kFigures[i]);
    double y = top;
    for (const MapClass& one : map.classes) {
        const std::string label = is_chance(one) ? one.abbreviation + " °" : one.abbreviation;
        body += text_at(left - 8, y + kRow / 2 + 4, "end", label);
        for (std::size_t lead = 0; lead < one.importance.size(); ++lead)
            body += cell_at(left + kCell * static_cast<double>(lead), y, one.importance[lead], largest, decimals);
        if (one.top_lead) body += frame_at(left + kCell * static_cast<double>(*one.top_lead), y, kCell);
        const std::array<std::string, 4> shown = {fmt::format("{}", one.n), figure(one.r2, 2),
                                                  figure(one.belief.stability, 2), figure(one.belief.p_adjusted, 3)};
        for (std::size_t i = 0; i < shown.size(); ++i)
            body += text_at(figures + 56 * static_cast<double>(i + 1) - 6, y + kRow / 2 + 4, "end", shown[i]);
        y += kRow;
    }
    body +=
        scale_at(left, bottom + 30, std::min(300.0, kCell * static_cast<double>(map.leads.size())), largest, decimals);
    y = bottom + 84;
    body += notes_at(y, map.notes, width);
    return document(map.caption, body, width, y + 6);
}

std::string draw_parts(const PartMap& map) {
    double largest = 0;
    for (const auto& row : map.importance)
        for (const auto& value : row)
            if (value) largest = std::max(largest, std::abs(*value));
    const int decimals = std::min(decimals_for(largest), 3);
    constexpr double kLeft = 60;
    const double width = std::max(420.0, kLeft + kPartCell * static_cast<double>(map.parts.size()) + 16);
    const auto caption = lines_of(fmt::format("{}; n = {}, R² = {}", map.caption, map.n, figure(map.r2, 2)),
                                  static_cast<std::size_t>(width / kLetter));
    double y = kTop + 16 * static_cast<double>(caption.size() - 1);
    std::string body = caption_at_top(caption);
    for (std::size_t s = 0; s < map.parts.size(); ++s)
        body += text_at(kLeft + kPartCell * (static_cast<double>(s) + 0.5), y - 8, "middle", map.parts[s]);
    for (std::size_t lead = 0; lead < map.leads.size(); ++lead) {
        body += text_at(kLeft - 8, y + kRow / 2 + 4, "end", map.leads[lead]);
        for (std::size_t s = 0; s < map.parts.size(); ++s) {
            const auto& value = map.importance[lead][s];
            const double x = kLeft + kPartCell * static_cast<double>(s);
            body += cell_at(x, y, value, largest, decimals, kPartCell);
            // Records agree on the sign of this part.
            if (const auto& agreement = map.sign_agreement[lead][s]; agreement && *agreement >= kAgreed)
                body += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\" fill=\"#111\"/>\n", x + kPartCell - 7,
                                    y + 6);
        }
        y += kRow;
    }
    body +=
        scale_at(kLeft, y + 30, std::min(300.0, kPartCell * static_cast<double>(map.parts.size())), largest, decimals);
    y += 84;
    auto notes = map.notes;
    notes.insert(notes.begin(),
                 fmt::format("A dot: at least {:.0f} % of the records have the sign of the mean.", 100 * kAgreed));
    body += notes_at(y, notes, width);
    return document(map.caption, body, width, y + 6);
}

}  // namespace leadsweep

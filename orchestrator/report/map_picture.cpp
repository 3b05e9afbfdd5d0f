// The lead-importance map as a picture. Colours run from blue (against) over white to orange (for): apart for every
// common form of colour blindness; numbers stand in the cells, so that colour is never needed.
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "orchestrator/report/map.hpp"
#include "orchestrator/report/markup.hpp"
#include "orchestrator/report/part_map.hpp"

namespace leadsweep {
namespace {

constexpr double kCell = 44;      // px
constexpr double kPartCell = 62;  // px
constexpr double kAgreed = 0.8;   // share of the records
constexpr double kRow = 24;       // px
constexpr double kLetter = 7.0;   // px, a generous mean width of 12 px sans-serif
constexpr double kTop = 74;       // px: caption and lead names

using Colour = std::array<double, 3>;
constexpr Colour kAgainst = {33, 102, 172};
constexpr Colour kNeutral = {247, 247, 247};
constexpr Colour kFor = {217, 95, 2};

/// `share` from -1 to 1.
Colour colour_of(double share) {
    const Colour& end = share < 0 ? kAgainst : kFor;
    const double amount = std::min(1.0, std::abs(share));
    Colour mixed{};
    for (std::size_t i = 0; i < 3; ++i) mixed[i] = kNeutral[i] + amount * (end[i] - kNeutral[i]);
    return mixed;
}

std::string hex(const Colour& colour) {
    return fmt::format("#{:02x}{:02x}{:02x}", std::lround(colour[0]), std::lround(colour[1]), std::lround(colour[2]));
}

/// Black or white, whichever stands out more (relative luminance, roughly).
const char* ink_on(const Colour& colour) {
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 150 ? "#111" : "#fff";
}

std::string text_at(double x, double y, const char* anchor, const std::string& text, const char* style = "") {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, style,
                       xml_escaped(text));
}

std::string cell_at(double x, double y, const std::optional<double>& value, double largest, int decimals,
                    double width = kCell) {
    if (!value)
        return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"url(#empty)\"/>\n", x, y,
                           width - 1, kRow - 1);
    const Colour colour = colour_of(largest > 0 ? *value / largest : 0);
    return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", x, y, width - 1,
                       kRow - 1, hex(colour)) +
           text_at(x + width / 2, y + kRow / 2 + 4, "middle", fmt::format("{:+.{}f}", *value, decimals),
                   fmt::format(" font-size=\"10\" fill=\"{}\"", ink_on(colour)).c_str());
}

std::string scale_at(double x, double y, double width, double largest, int decimals) {
    std::string out;
    constexpr int kSteps = 41;
    const double step = width / kSteps;
    for (int i = 0; i < kSteps; ++i)
        out += fmt::format("<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"12\" fill=\"{}\"/>\n",
                           x + i * step, y, step + 0.3, hex(colour_of(2.0 * i / (kSteps - 1) - 1)));
    for (const double share : {-1.0, 0.0, 1.0})
        out +=
            text_at(x + (share + 1) / 2 * width, y + 26, "middle", fmt::format("{:+.{}f}", share * largest, decimals));
    return out + text_at(x, y - 5, "start", "speaks against") + text_at(x + width, y - 5, "end", "speaks for");
}

/// Breaks at spaces.
std::vector<std::string> lines_of(const std::string& text, std::size_t most) {
    std::vector<std::string> lines(1);
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string word = text.substr(begin, end - begin);
        if (!lines.back().empty() && lines.back().size() + 1 + word.size() > most) lines.emplace_back();
        lines.back() += (lines.back().empty() ? "" : " ") + word;
        begin = end + 1;
    }
    return lines;
}

std::string figure(const std::optional<double>& value, int decimals) {
    return value ? fmt::format("{:.{}f}", *value, decimals) : "–";
}

std::string caption_at_top(const std::vector<std::string>& lines) {
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i)
        out += text_at(12, 22 + 16 * static_cast<double>(i), "start", lines[i], " font-weight=\"bold\"");
    return out;
}

/// The notes from `y` on; moves `y` below them.
std::string notes_at(double& y, const std::vector<std::string>& notes, double width) {
    std::string out;
    for (const std::string& note : notes)
        for (const std::string& line : lines_of(note, static_cast<std::size_t>(width / 6.2))) {
            out += text_at(12, y, "start", line, " font-size=\"11\" fill=\"#444\"");
            y += 15;
        }
    return out;
}

std::string document(const std::string& title, const std::string& body, double width, double height) {
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
               "{1:.0f}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>{2}</title>\n"
               "<defs><pattern id=\"empty\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path d=\"M0 6 L6 "
               "0\" stroke=\"#ccc\"/></pattern></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
               width, height, xml_escaped(title)) +
           body + "</svg>\n";
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

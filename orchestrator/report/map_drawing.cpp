#include "orchestrator/report/map_drawing.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "orchestrator/report/markup.hpp"

namespace leadsweep {
namespace {

using Colour = std::array<double, 3>;
constexpr Colour kAgainst = {33, 102, 172};
constexpr Colour kNeutral = {247, 247, 247};
constexpr Colour kFor = {217, 95, 2};

Colour mixed_colour(double share) {
    const Colour& end = share < 0 ? kAgainst : kFor;
    const double amount = std::min(1.0, std::abs(share));
    Colour mixed{};
    for (std::size_t i = 0; i < 3; ++i) mixed[i] = kNeutral[i] + amount * (end[i] - kNeutral[i]);
    return mixed;
}

std::string hex(const Colour& colour) {
    return fmt::format("#{:02x}{:02x}{:02x}", std::lround(colour[0]), std::lround(colour[1]), std::lround(colour[2]));
}

}  // namespace

std::string map_colour(double share) {
    return hex(mixed_colour(share));
}

const char* ink_on(double share) {
    const Colour colour = mixed_colour(share);
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 150 ? "#111" : "#fff";
}

std::string text_at(double x, double y, const char* anchor, const std::string& text, const std::string& style) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, style,
                       xml_escaped(text));
}

std::string scale_at(double x, double y, double width, double largest, int decimals) {
    std::string out;
    constexpr int kSteps = 41;
    const double step = width / kSteps;
    for (int i = 0; i < kSteps; ++i)
        out += fmt::format("<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"12\" fill=\"{}\"/>\n",
                           x + i * step, y, step + 0.3, map_colour(2.0 * i / (kSteps - 1) - 1));
    for (const double share : {-1.0, 0.0, 1.0})
        out +=
            text_at(x + (share + 1) / 2 * width, y + 26, "middle", fmt::format("{:+.{}f}", share * largest, decimals));
    return out + text_at(x, y - 5, "start", "speaks against") + text_at(x + width, y - 5, "end", "speaks for");
}

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

}  // namespace leadsweep

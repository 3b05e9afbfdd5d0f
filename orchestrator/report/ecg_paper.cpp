#include "orchestrator/report/ecg_paper.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "orchestrator/report/map_drawing.hpp"
#include "orchestrator/report/markup.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/median.hpp"

namespace leadsweep {
namespace {

constexpr double kMmPerSecond = 25;
constexpr double kMmPerMillivolt = 10;
constexpr double kMargin = 5;       // mm around the paper
constexpr double kHead = 15;        // mm above the first strip, for title and facts
constexpr double kPulse = 15;       // mm before the trace, for name and calibration
constexpr double kLeastPitch = 15;  // mm from strip to strip
constexpr double kMostPitch = 40;
constexpr double kAboveZero = 0.6;     // of a strip's height
constexpr double kRemark = 4.5;        // mm
constexpr double kRemarkLetter = 1.7;  // mm, a generous mean width
constexpr double kNote = 18;           // mm behind the trace, where strips have notes
constexpr double kShadeText = 9;       // mm that a shade must be wide to hold its text

/// A strip of one lead: its samples and the value on its zero line.
struct Strip {
    const DrawnLead* lead;
    std::span<const float> samples;
    double middle_uv;
    double sampling_hz;
};

/// Room between strips: what most samples need, in steps of 5 mm.
double pitch_of(const std::vector<Strip>& strips) {
    double widest_mm = 0;
    for (const Strip& strip : strips) {
        const auto [low, high] = std::minmax_element(strip.samples.begin(), strip.samples.end());
        widest_mm = std::max(widest_mm, static_cast<double>(*high - *low) / 1000 * kMmPerMillivolt);
    }
    return std::clamp(std::ceil(widest_mm / 5) * 5, kLeastPitch, kMostPitch);
}

/// Lines of the paper in a rectangle: two paths, one for each strength.
std::string grid(double width, double height) {
    std::string thin;
    std::string strong;
    for (int x = 0; x <= static_cast<int>(width); ++x)
        (x % 5 == 0 ? strong : thin) += fmt::format("M{} 0V{}", x, height);
    for (int y = 0; y <= static_cast<int>(height); ++y)
        (y % 5 == 0 ? strong : thin) += fmt::format("M0 {}H{}", y, width);
    return fmt::format(
        "<path d=\"{}\" stroke=\"#f6c9c9\" stroke-width=\"0.1\" fill=\"none\"/>\n"
        "<path d=\"{}\" stroke=\"#e89a9a\" stroke-width=\"0.2\" fill=\"none\"/>\n",
        thin, strong);
}

std::string shades(const Strip& strip, double from_s, double zero_mm, double pitch) {
    std::string out;
    const double length_s = static_cast<double>(strip.samples.size()) / strip.sampling_hz;
    for (const Shade& shade : strip.lead->shades) {
        const double begin = std::clamp(shade.from_s - from_s, 0.0, length_s) * kMmPerSecond;
        const double end = std::clamp(shade.to_s - from_s, 0.0, length_s) * kMmPerSecond;
        if (end <= begin) continue;
        const double top = zero_mm - kAboveZero * pitch;
        out += fmt::format(
            "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\" "
            "fill-opacity=\"{:.2f}\"/>\n",
            kPulse + begin, top, end - begin, pitch - 0.5, shade.colour, shade.opacity);
        if (!shade.text.empty() && end - begin >= kShadeText)
            out += fmt::format("<text x=\"{:.2f}\" y=\"{:.2f}\" font-size=\"2.6\" text-anchor=\"end\">{}</text>\n",
                               kPulse + end - 0.7, top + 2.8, xml_escaped(shade.text));
    }
    return out;
}

std::string trace(const Strip& strip, double zero_mm) {
    std::string points;
    for (std::size_t t = 0; t < strip.samples.size(); ++t)
        points += fmt::format("{:.2f},{:.2f} ", kPulse + static_cast<double>(t) / strip.sampling_hz * kMmPerSecond,
                              zero_mm - (strip.samples[t] - strip.middle_uv) / 1000 * kMmPerMillivolt);
    return fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#111\" stroke-width=\"0.25\" stroke-linejoin=\"round\"/>\n",
        points);
}

std::string pulse_and_name(const Strip& strip, double zero_mm) {
    return fmt::format(
        "<path d=\"M5 {0}h2v-{1}h5v{1}h2\" fill=\"none\" stroke=\"#111\" stroke-width=\"0.25\"/>\n"
        "<text x=\"{2}\" y=\"{3:.2f}\" font-size=\"3.5\" font-weight=\"bold\">{4}</text>\n",
        zero_mm, kMmPerMillivolt, 4, zero_mm - 11, xml_escaped(strip.lead->name));
}

}  // namespace

std::string draw_ecg_paper(const DrawnRecord& record, double from_s, double seconds) {
    std::vector<Strip> strips;
    const auto first = static_cast<std::size_t>(std::max(0.0, std::round(from_s * record.sampling_hz)));
    for (const DrawnLead& lead : record.leads) {
        if (first >= lead.amplitude_uv.size()) continue;
        const auto count = std::min(static_cast<std::size_t>(std::round(seconds * record.sampling_hz)),
                                    lead.amplitude_uv.size() - first);
        const auto samples = std::span<const float>(lead.amplitude_uv).subspan(first, count);
        if (!samples.empty()) strips.push_back({&lead, samples, median_of(samples), record.sampling_hz});
    }
    if (strips.empty())
        throw InputError(fmt::format("{}: nothing lies between {} s and {} s", record.title, from_s, from_s + seconds));
    const double pitch = pitch_of(strips);
    const double length_mm = static_cast<double>(strips[0].samples.size()) / record.sampling_hz * kMmPerSecond;
    const bool has_notes =
        std::any_of(strips.begin(), strips.end(), [](const Strip& strip) { return !strip.lead->note.empty(); });
    const double width = std::ceil((kPulse + length_mm + (has_notes ? kNote : 5)) / 5) * 5;
    const double height = std::ceil((static_cast<double>(strips.size()) * pitch + 10) / 5) * 5;
    std::vector<std::string> remarks;
    for (const auto& remark : record.remarks)
        for (auto& line : lines_of(remark, static_cast<std::size_t>(width / kRemarkLetter))) remarks.push_back(line);
    const double head = kHead + kRemark * static_cast<double>(remarks.size());
    const double shown_from_s = static_cast<double>(first) / record.sampling_hz;
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}mm\" height=\"{1}mm\" viewBox=\"0 0 {0} {1}\" "
        "font-family=\"sans-serif\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
        width + 2 * kMargin, height + head + 2 * kMargin + record.foot_mm);
    svg += fmt::format(
        "<text x=\"{0}\" y=\"9\" font-size=\"5\" font-weight=\"bold\">{1}</text>\n"
        "<text x=\"{0}\" y=\"15\" font-size=\"3.5\">{2}; from {3:g} s; 25 mm/s, 10 mm/{4}</text>\n",
        kMargin, xml_escaped(record.title), xml_escaped(record.facts), shown_from_s,
        record.is_unitless ? "unit of the file (no mV)" : "mV");
    for (std::size_t i = 0; i < remarks.size(); ++i)
        svg += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"3.2\">{}</text>\n", kMargin,
                           kHead + 4.5 + kRemark * static_cast<double>(i), xml_escaped(remarks[i]));
    svg += fmt::format("<g transform=\"translate({} {})\">\n", kMargin, kMargin + head);
    svg += grid(width, height);
    for (std::size_t i = 0; i < strips.size(); ++i) {
        const double zero_mm = std::round(5 + (static_cast<double>(i) + kAboveZero) * pitch);
        svg += shades(strips[i], shown_from_s, zero_mm, pitch) + pulse_and_name(strips[i], zero_mm) +
               trace(strips[i], zero_mm);
        if (!strips[i].lead->note.empty())
            svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.2f}\" font-size=\"3.5\">{}</text>\n", kPulse + length_mm + 2,
                               zero_mm + 1.2, xml_escaped(strips[i].lead->note));
    }
    svg += "</g>\n";
    if (!record.foot.empty())
        svg += fmt::format("<g transform=\"translate({} {})\">\n{}</g>\n", kMargin, 2 * kMargin + head + height,
                           record.foot);
    return svg + "</svg>\n";
}

}  // namespace leadsweep

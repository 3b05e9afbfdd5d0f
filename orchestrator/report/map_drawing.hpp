// Pieces of the pictures of importance: colours, text and the frame of an SVG document. Colours run from blue (against)
// over near white to orange (for): apart for every common form of colour blindness.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace leadsweep {

inline constexpr double kLetter = 7.0;  ///< px, a generous mean width of 12 px sans-serif

/// "#rrggbb" of a share of the largest importance, from -1 to 1.
std::string map_colour(double share);
/// Black or white, whichever stands out more on that colour (relative luminance, roughly).
const char* ink_on(double share);

/// `anchor`: start, middle or end; `style`: more attributes, each with a space before it.
std::string text_at(double x, double y, const char* anchor, const std::string& text, const std::string& style = "");
/// The scale of colours, in numbers from -largest to largest.
std::string scale_at(double x, double y, double width, double largest, int decimals);
/// Breaks at spaces, into lines of at most so many letters.
std::vector<std::string> lines_of(const std::string& text, std::size_t most);
/// A dash where there is none.
std::string figure(const std::optional<double>& value, int decimals);
std::string caption_at_top(const std::vector<std::string>& lines);
/// The notes from `y` on; moves `y` below them.
std::string notes_at(double& y, const std::vector<std::string>& notes, double width);
/// A complete SVG document, in px. Cells without a value may be filled with url(#empty).
std::string document(const std::string& title, const std::string& body, double width, double height);

}  // namespace leadsweep

// Small questions about text that several layers ask: the nearest known word, CSV lines, shown durations.
#pragma once

#include <istream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leadsweep {

/// The known word nearest to `word` by edit distance (Levenshtein), if one is near enough to be meant.
std::optional<std::string> nearest_word(std::string_view word, std::span<const std::string> known);

/// ", did you mean 'x'?" or nothing.
std::string suggestion(std::string_view word, std::span<const std::string> known);

std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string to_lower(std::string_view text);
/// Position of the first byte that is not part of well-formed UTF-8; nothing if there is none.
std::optional<std::size_t> find_bad_utf8(std::string_view text);
/// The text with each byte that is not part of well-formed UTF-8 taken for a character of Latin-1: for what others
/// wrote.
std::string as_utf8(std::string_view text);

/// Next record of a CSV stream (RFC 4180: quoted fields may hold commas, quotes doubled, and line breaks).
/// Empty at the end of the stream.
std::optional<std::vector<std::string>> read_csv_row(std::istream& stream);
/// One field as CSV: quoted where it must be.
std::string csv_field(std::string_view text);

/// Time for people: "3.2 s", "4 min 10 s", "2 h 5 min".
std::string show_duration(double seconds);

}  // namespace leadsweep

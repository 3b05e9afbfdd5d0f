#include "shared/core/text.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace leadsweep {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

}  // namespace

std::optional<std::string> nearest_word(std::string_view word, std::span<const std::string> known) {
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : known) {
        if (word.size() >= candidate.size() + best_distance) continue;  // so many letters too many
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    if (best) return best;
    for (const std::string& candidate : known)
        if (candidate.size() > word.size() && candidate.ends_with(word) &&
            candidate[candidate.size() - word.size() - 1] == '.')
            return candidate;
    return std::nullopt;
}

std::string suggestion(std::string_view word, std::span<const std::string> known) {
    const auto nearest = nearest_word(word, known);
    return nearest ? fmt::format(", did you mean '{}'?", *nearest) : std::string{};
}

std::string_view trim(std::string_view text) {
    const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    while (true) {
        const std::size_t end = text.find(separator, start);
        parts.emplace_back(text.substr(start, end == std::string_view::npos ? end : end - start));
        if (end == std::string_view::npos) return parts;
        start = end + 1;
    }
}

std::optional<std::size_t> find_bad_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    for (std::size_t i = 0; i < text.size();) {
        const unsigned first = byte(i);
        const std::size_t length = first < 0x80U       ? 1
                                   : first >> 5U == 6  ? 2
                                   : first >> 4U == 14 ? 3
                                   : first >> 3U == 30 ? 4
                                                       : 0;
        if (length == 0) return i;
        unsigned code = length == 1 ? first : first & (0x7fU >> length);
        for (std::size_t k = 1; k < length; ++k) {
            if (byte(i + k) >> 6U != 2) return i;
            code = (code << 6U) + (byte(i + k) & 0x3fU);
        }
        constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
        if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return i;
        i += length;
    }
    return std::nullopt;
}

std::string as_utf8(std::string_view text) {
    std::string converted;
    while (const auto bad = find_bad_utf8(text)) {
        converted += text.substr(0, *bad);
        const auto byte = static_cast<unsigned char>(text[*bad]);
        converted += static_cast<char>(0xC0U | (byte >> 6U));
        converted += static_cast<char>(0x80U | (byte & 0x3FU));
        text.remove_prefix(*bad + 1);
    }
    return converted.append(text);
}

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

std::optional<std::vector<std::string>> read_csv_row(std::istream& stream) {
    if (stream.peek() == std::istream::traits_type::eof()) return std::nullopt;
    std::vector<std::string> fields(1);
    bool is_quoted = false;
    char c = 0;
    while (stream.get(c)) {
        if (is_quoted) {
            if (c != '"') {
                fields.back() += c;
            } else if (stream.peek() == '"') {
                stream.get(c);
                fields.back() += '"';
            } else {
                is_quoted = false;
            }
        } else if (c == '"' && fields.back().empty()) {
            is_quoted = true;
        } else if (c == ',') {
            fields.emplace_back();
        } else if (c == '\n') {
            break;
        } else if (c != '\r') {
            fields.back() += c;
        }
    }
    return fields;
}

std::string csv_field(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

std::string show_duration(double seconds) {
    if (!std::isfinite(seconds)) return "unknown";
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace leadsweep

#include "worker/dataset/wfdb_header.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <system_error>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

/// Where a field stands, for messages.
struct Place {
    std::string_view name;
    std::size_t line;
};

[[noreturn]] void fail(const Place& place, const std::string& problem) {
    throw InputError(fmt::format("{}:{}: {}", place.name, place.line, problem));
}

std::vector<std::string_view> words_of(std::string_view line, std::size_t most) {
    std::vector<std::string_view> words;
    while (true) {
        line = trim(line);
        if (line.empty()) return words;
        // The last field (a signal's description) may hold blanks.
        const auto end = words.size() + 1 == most ? std::string_view::npos : line.find_first_of(" \t");
        words.push_back(line.substr(0, end));
        if (end == std::string_view::npos) return words;
        line.remove_prefix(end);
    }
}

/// Reads a number from the front of `text` and removes it.
template <class Number>
std::optional<Number> take_number(std::string_view& text) {
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    Number value{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{}) return std::nullopt;
    text = digits.substr(static_cast<std::size_t>(end - digits.data()));
    return value;
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
    const auto value = take_number<Number>(text);
    return text.empty() ? value : std::nullopt;
}

std::int64_t require_integer(std::string_view text, const Place& place, std::string_view field) {
    const auto value = whole_number<std::int64_t>(text);
    if (!value) fail(place, fmt::format("{}: found '{}', expected an integer", field, text));
    return *value;
}

bool is_utf8(std::string_view text) {
    std::size_t following = 0;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (following > 0) {
            if ((byte & 0xC0U) != 0x80U) return false;
            --following;
        } else if (byte >= 0x80U) {
            if (byte >= 0xC2U && byte <= 0xDFU)
                following = 1;
            else if ((byte & 0xF0U) == 0xE0U)
                following = 2;
            else if (byte >= 0xF0U && byte <= 0xF4U)
                following = 3;
            else
                return false;
        }
    }
    return following == 0;
}

std::string as_utf8(std::string_view text) {
    if (is_utf8(text)) return std::string(text);
    std::string converted;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x80U) {
            converted += character;
        } else {
            converted += static_cast<char>(0xC0U | (byte >> 6U));
            converted += static_cast<char>(0x80U | (byte & 0x3FU));
        }
    }
    return converted;
}

PhysicalUnit unit_from(std::string_view text) {
    const std::string unit = to_lower(text);
    if (unit.empty() || unit == "mv") return PhysicalUnit::kMillivolt;
    // Micro sign and Greek mu in UTF-8.
    if (unit == "uv" || unit == "\xC2\xB5v" || unit == "\xCE\xBCv") return PhysicalUnit::kMicrovolt;
    if (unit == "v") return PhysicalUnit::kVolt;
    if (unit == "nu") return PhysicalUnit::kNone;
    return PhysicalUnit::kOther;
}

void parse_record_line(std::string_view line, const Place& place, WfdbHeader& header, std::int64_t& signal_count) {
    const auto words = words_of(line, 0);
    if (words.size() < 2)
        fail(place, fmt::format("record line: found '{}', expected name, number of signals, rate, samples", line));
    std::string_view record = words[0];
    if (record.find('/') != std::string_view::npos)
        fail(place, fmt::format("record '{}' has several segments: join them before use", record));
    if (record.ends_with(".mat") || record.ends_with(".hea")) record.remove_suffix(4);
    header.record = as_utf8(record);
    signal_count = require_integer(words[1], place, "number of signals");
    if (signal_count < 1) fail(place, fmt::format("found {} signals, expected at least 1", signal_count));
    if (words.size() > 2) {
        std::string_view rate = words[2];  // "500/500(0)": the counter's rate is not needed
        const auto value = take_number<double>(rate);
        const bool is_ended = rate.empty() || rate.front() == '/' || rate.front() == '(';
        if (!value || !is_ended || !(*value >= 0) || *value > 1e7)
            fail(place, fmt::format("sampling rate: found '{}', expected Hz", words[2]));
        if (*value > 0) header.sampling_hz = *value;
    }
    if (words.size() > 3) {
        header.samples = require_integer(words[3], place, "number of samples");
        if (header.samples < 0) fail(place, fmt::format("found {} samples, expected 0 or more", header.samples));
    }
}

/// format[xN][:skew][+offset]
void parse_format(std::string_view text, const Place& place, WfdbSignal& signal) {
    const std::string_view whole = text;
    const auto format = take_number<int>(text);
    bool is_bad = !format;
    while (!is_bad && !text.empty()) {
        const char kind = text.front();
        text.remove_prefix(1);
        const auto value = take_number<std::int64_t>(text);
        is_bad = !value || *value < 0;
        if (is_bad) break;
        if (kind == 'x')
            signal.samples_per_frame = *value;
        else if (kind == '+')
            signal.byte_offset = *value;
        else if (kind != ':' || *value != 0)
            is_bad = true;  // a skew would shift this lead against the others
    }
    if (is_bad) fail(place, fmt::format("format: found '{}', expected for example 16, 16+24 or 16x1+24", whole));
    signal.format = *format;
}

/// gain[(baseline)][/units]. Returns whether a baseline was given.
bool parse_gain(std::string_view text, const Place& place, WfdbSignal& signal) {
    const std::string_view whole = text;
    const auto gain = take_number<double>(text);
    bool has_baseline = false;
    if (text.starts_with('(')) {
        text.remove_prefix(1);
        const auto baseline = take_number<double>(text);
        has_baseline = baseline && text.starts_with(')');
        if (!has_baseline) fail(place, fmt::format("baseline: found '{}', expected for example 1000(0)/mV", whole));
        text.remove_prefix(1);
        signal.baseline = *baseline;
    }
    if (text.starts_with('/')) {
        signal.unit_text = as_utf8(text.substr(1));
        text = {};
    }
    if (!gain || !std::isfinite(*gain) || !text.empty())
        fail(place, fmt::format("gain: found '{}', expected for example 1000/mV or 1000.0(0)/mV", whole));
    signal.unit = unit_from(signal.unit_text);
    signal.is_gain_missing = *gain == 0;
    if (!signal.is_gain_missing) signal.gain = *gain;
    return has_baseline;
}

WfdbSignal parse_signal_line(std::string_view line, const Place& place) {
    const auto words = words_of(line, 9);
    if (words.size() < 2) fail(place, fmt::format("signal line: found '{}', expected file, format, gain, ...", line));
    WfdbSignal signal;
    signal.file = words[0];
    parse_format(words[1], place, signal);
    signal.is_gain_missing = true;
    const bool has_baseline = words.size() > 2 && parse_gain(words[2], place, signal);
    if (words.size() > 4) {
        const auto adc_zero = require_integer(words[4], place, "ADC zero");
        if (!has_baseline) signal.baseline = static_cast<double>(adc_zero);
    }
    if (words.size() > 5) signal.initial_value = require_integer(words[5], place, "initial value");
    if (words.size() > 6) signal.checksum = require_integer(words[6], place, "checksum");
    if (words.size() > 8) signal.lead = as_utf8(words[8]);
    return signal;
}

void add_once(std::vector<std::string>& list, std::string value) {
    if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(std::move(value));
}

void parse_comment(std::string_view line, WfdbHeader& header) {
    line.remove_prefix(std::min(line.find_first_not_of("# \t"), line.size()));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string key = to_lower(trim(line.substr(0, colon)));
    const std::string value = as_utf8(trim(line.substr(colon + 1)));
    if (key == "patient" || key == "patient id") {
        const std::string patient = to_lower(value);
        if (patient != "unknown" && patient != "nan" && patient != "none") header.patient = value;
    }
    if (key != "dx") return;
    for (const auto& part : split(value, ',')) {
        const std::string code(trim(part));
        if (code.empty()) continue;
        const bool is_numeric =
            std::all_of(code.begin(), code.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
        add_once(is_numeric ? header.labels : header.unmapped_labels, code);
    }
}

}  // namespace

WfdbHeader parse_wfdb_header(std::string_view text, std::string_view name) {
    WfdbHeader header;
    Place place{name, 0};
    std::int64_t signal_count = -1;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++place.line;
        if (line.empty()) continue;
        if (line.front() == '#')
            parse_comment(line, header);
        else if (signal_count < 0)
            parse_record_line(line, place, header, signal_count);
        else
            header.signals.push_back(parse_signal_line(line, place));
    }
    if (signal_count < 0) throw InputError(fmt::format("{}: no record line: this is no WFDB header", name));
    if (static_cast<std::int64_t>(header.signals.size()) != signal_count)
        throw InputError(fmt::format("{}: found {} signal lines, expected {} as the record line says", name,
                                     header.signals.size(), signal_count));
    return header;
}

}  // namespace leadsweep

#include "worker/dataset/wfdb_header.hpp"

#include <algorithm>
#include <array>
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

/// Bounds beyond which a number is a slip and no property of a signal.
constexpr std::int64_t kMostSignals = 1000;
constexpr std::int64_t kMostPerFrame = 10000;
constexpr std::int64_t kMostSamples = 1'000'000'000'000;
constexpr double kLargestBaseline = 4294967296.0;  // 2^32
constexpr double kSmallestGain = 1e-9;
constexpr double kLargestGain = 1e12;

std::int64_t require_integer(std::string_view text, const Place& place, std::string_view field) {
    const auto value = whole_number<std::int64_t>(text);
    if (!value) fail(place, fmt::format("{}: found '{}', expected an integer", field, text));
    return *value;
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

double parse_rate(std::string_view text, const Place& place) {
    std::string_view rate = text;  // "500/500(0)": the counter's rate is not needed
    const auto value = take_number<double>(rate);
    const bool is_ended = rate.empty() || rate.front() == '/' || rate.front() == '(';
    if (!value || !is_ended || !(*value >= 0) || *value > 1e7)
        fail(place, fmt::format("sampling rate: found '{}', expected Hz", text));
    return *value;
}

/// Where the first signal line begins in a record line into which it was merged ("JS01052 12 500 5000JS01052.mat
/// 16+24 1000/mV ..." or with a blank between); npos if it is none.
std::size_t merged_signal_line(std::string_view line, const std::vector<std::string_view>& words) {
    for (std::size_t i = 3; i + 1 < words.size() && i < 5; ++i) {
        if (!words[i].ends_with(".mat") && !words[i].ends_with(".dat")) continue;
        const std::size_t digits = i == 3 ? words[i].find_first_not_of("0123456789") : 0;
        const bool is_split = i > 3 || (digits > 0 && digits < words[i].size());
        if (is_split) return static_cast<std::size_t>(words[i].data() - line.data()) + digits;
    }
    return std::string_view::npos;
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
    if (signal_count < 1 || signal_count > kMostSignals)
        fail(place, fmt::format("found {} signals, expected 1 to {}", signal_count, kMostSignals));
    if (words.size() > 2) {
        const double rate = parse_rate(words[2], place);
        if (rate > 0) header.sampling_hz = rate;
    }
    if (words.size() > 3) {
        header.samples = require_integer(words[3], place, "number of samples");
        if (header.samples < 0 || header.samples > kMostSamples)
            fail(place, fmt::format("found {} samples, expected 0 or more", header.samples));
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
        else if (kind == ':')
            signal.skew = *value;
        else if (kind == '+')
            signal.byte_offset = *value;
        else
            is_bad = true;
    }
    if (is_bad) fail(place, fmt::format("format: found '{}', expected for example 16, 16+24 or 212x2:3+24", whole));
    if (signal.samples_per_frame < 1 || signal.samples_per_frame > kMostPerFrame)
        fail(place, fmt::format("format: found {} samples per frame in '{}', expected 1 to {}",
                                signal.samples_per_frame, whole, kMostPerFrame));
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
    const bool is_number = gain && std::isfinite(*gain) && text.empty();
    if (!is_number || !(std::abs(signal.baseline) <= kLargestBaseline))
        fail(place, fmt::format("gain: found '{}', expected for example 1000/mV or 1000.0(0)/mV", whole));
    if (*gain != 0 && (std::abs(*gain) < kSmallestGain || std::abs(*gain) > kLargestGain))
        fail(place, fmt::format("gain: found {} in '{}': no recorder has it, expected {} to {} steps a unit", *gain,
                                whole, kSmallestGain, kLargestGain));
    signal.unit = unit_from(signal.unit_text);
    signal.is_gain_missing = *gain == 0;
    if (!signal.is_gain_missing) signal.gain = *gain;
    return has_baseline;
}

WfdbSignal parse_signal_line(std::string_view line, const Place& place) {
    const auto words = words_of(line, 9);
    if (words.size() < 2) fail(place, fmt::format("signal line: found '{}', expected file, format, gain, ...", line));
    WfdbSignal signal;
    if (find_bad_utf8(words[0]))
        fail(place, fmt::format("file: found '{}', expected a name in UTF-8: rename the file", as_utf8(words[0])));
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

/// The words of CPSC 2018 and what the Challenge 2020 made of them. PVC became "ventricular ectopics", which is
/// another code than the scored 427172004.
struct DiagnosisWord {
    std::string_view word;
    std::string_view code;
};
constexpr std::array<DiagnosisWord, 9> kDiagnosisWords{{{"Normal", "426783006"},
                                                        {"AF", "164889003"},
                                                        {"I-AVB", "270492004"},
                                                        {"LBBB", "164909002"},
                                                        {"RBBB", "59118001"},
                                                        {"PAC", "284470004"},
                                                        {"PVC", "164884008"},
                                                        {"STD", "429622005"},
                                                        {"STE", "164931005"}}};

void parse_diagnoses(const std::string& value, WfdbHeader& header) {
    for (const auto& part : split(value, ',')) {
        const std::string word(trim(part));
        if (word.empty()) continue;
        const bool is_code =
            std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
        const auto known = std::find_if(kDiagnosisWords.begin(), kDiagnosisWords.end(),
                                        [&](const DiagnosisWord& one) { return one.word == word; });
        if (is_code)
            add_once(header.labels, word);
        else if (known != kDiagnosisWords.end())
            add_once(header.labels, std::string(known->code));
        else
            add_once(header.unmapped_labels, word);
    }
}

/// "74", "60.", "90+"; nothing for "NaN", "Unknown" and numbers that are no age.
std::optional<double> parse_age(std::string_view text) {
    if (text.ends_with('+')) text.remove_suffix(1);
    const auto age = whole_number<double>(text);
    if (!age || !(*age >= 0 && *age <= 120)) return std::nullopt;
    return age;
}

void parse_comment(std::string_view line, WfdbHeader& header) {
    line.remove_prefix(std::min(line.find_first_not_of("# \t"), line.size()));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string key = to_lower(trim(line.substr(0, colon)));
    const std::string value = as_utf8(trim(line.substr(colon + 1)));
    const std::string lower = to_lower(value);
    if (key == "age") header.age_years = parse_age(value);
    if (key == "sex" && (lower == "male" || lower == "m")) header.sex = "male";
    if (key == "sex" && (lower == "female" || lower == "f")) header.sex = "female";
    if ((key == "patient" || key == "patient id") && lower != "unknown" && lower != "nan" && lower != "none")
        header.patient = value;
    if (key == "dx") parse_diagnoses(value, header);
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
        if (line.front() == '#') {
            parse_comment(line, header);
        } else if (signal_count < 0) {
            const std::size_t merged = merged_signal_line(line, words_of(line, 0));
            parse_record_line(line.substr(0, merged), place, header, signal_count);
            if (merged == std::string_view::npos) continue;
            header.signals.push_back(parse_signal_line(line.substr(merged), place));
            header.repairs.emplace_back("record line and first signal line were one: split");
        } else {
            header.signals.push_back(parse_signal_line(line, place));
        }
    }
    if (signal_count < 0) throw InputError(fmt::format("{}: no record line: this is no WFDB header", name));
    if (static_cast<std::int64_t>(header.signals.size()) != signal_count)
        throw InputError(fmt::format("{}: found {} signal lines, expected {} as the record line says", name,
                                     header.signals.size(), signal_count));
    return header;
}

}  // namespace leadsweep

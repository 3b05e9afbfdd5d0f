// The text header of a WFDB record (.hea), in all dialects of the PhysioNet Challenge data sets. Only text is looked at
// here; whether the signal files agree with it is checked by wfdb_record.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leadsweep {

/// What one physical unit of a signal is. kNone: NU, for example standard deviations. kOther: no voltage (mmHg, ...).
enum class PhysicalUnit { kMillivolt, kMicrovolt, kVolt, kNone, kOther };

/// One signal line. Physical value = (digital - baseline) / gain in `unit`.
struct WfdbSignal {
    std::string file;                    ///< relative to the header's folder
    int format = 0;                      ///< WFDB signal format: 16, 212, ...
    std::int64_t samples_per_frame = 1;  ///< this signal's rate is so many times the frames' rate
    std::int64_t skew = 0;               ///< frames by which this signal is late in the file
    std::int64_t byte_offset = 0;        ///< where the samples begin in the file
    double gain = 200;                   ///< ADC steps per physical unit; missing or 0 means 200
    double baseline = 0;                 ///< missing: the ADC zero
    PhysicalUnit unit = PhysicalUnit::kMillivolt;
    std::string unit_text;  ///< as written; "" if missing
    bool is_gain_missing = false;
    std::optional<std::int64_t> initial_value;
    std::optional<std::int64_t> checksum;  ///< 16-bit sum of all samples, signed or unsigned
    std::string lead;
};

struct WfdbHeader {
    std::string record;
    double sampling_hz = 250;  ///< of frames
    std::int64_t samples = 0;  ///< frames; 0: not told, the size of the file tells
    std::vector<WfdbSignal> signals;
    std::vector<std::string> labels;           ///< SNOMED CT codes of the Dx comments, each once
    std::vector<std::string> unmapped_labels;  ///< other words of the Dx comments ("NORM"): no label
    std::string patient;                       ///< of a comment `Patient:` or `Patient ID:`; "" if there is none
    std::optional<double> age_years;           ///< 0 ... 120; "90+" is 90, anything else is missing
    std::string sex;                           ///< "male", "female" or ""
    std::vector<std::string> repairs;          ///< what was put right in the text, for people
};

/// Reads a header's text; `name` (a path) is for messages. Missing fields get the defaults of WFDB (header(5): 250 Hz,
/// gain 200, baseline = ADC zero, mV). What stands after the number of samples (time and date, in any form) is not
/// read, unless it is the first signal line: that is split off, as a repair. Diagnoses are codes, or the nine words of
/// CPSC 2018 (Normal, AF, I-AVB, LBBB, RBBB, PAC, PVC, STD, STE) as the Challenge 2020 maps them. Comment bytes that
/// are no UTF-8 are taken for Latin-1. Throws InputError naming line, field and what was expected.
WfdbHeader parse_wfdb_header(std::string_view text, std::string_view name);

}  // namespace leadsweep

// Generated 12-lead records: data.synthetic of a sweep. Part of the product: for trying a sweep without records, for
// benchmarks, and for checking lead-importance maps against signs whose place is known.
//
// A record depends on (spec, index) alone. Patients (heartbeat.hpp) have one base rhythm and one conduction in all
// their records; the times of beats, early beats, noise and signs change from record to record. Noise: white, with
// standard deviation noise_uv, and a baseline wander below 0.5 Hz of the same size; both on the eight independent
// leads. III = II - I, aVR = -(I + II)/2, aVL = I - II/2 and aVF = II - I/2 hold exactly, except where a sign is
// planted in I or II: signs are planted last, so that one lead alone carries each. Signs of the electrodes RA, LA and LL
// are in every lead that hangs on them, and keep those laws.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// Probability that a record carries a sign, for each sign on its own.
inline constexpr double kSignProbability = 0.35;
/// A sign is sign_uv * cos(2 pi 12 Hz t) under a Gaussian of this width: half a second of a rhythm that no
/// heart makes, below 25 Hz.
inline constexpr double kSign_hz = 12;
inline constexpr double kSignWidth_s = 0.12;

struct SyntheticRecord {
    std::string path;     ///< "synthetic/p0000017_003": names the record in the catalogue; sorts like the index
    std::string patient;  ///< "p0000017"
    double sampling_hz = 0;
    std::int64_t samples = 0;
    std::vector<float> signal;        ///< [12, samples] in µV, leads as in kLeadNames
    std::vector<std::string> labels;  ///< SNOMED CT codes, and planted-<sign>: those of leads are in the label set `synthetic`

    std::span<const float> lead(std::size_t index) const {
        const auto length = static_cast<std::size_t>(samples);
        return std::span<const float>(signal).subspan(index * length, length);
    }
};

/// Records of a spec: patients * records_per_patient.
std::int64_t synthetic_record_count(const SyntheticSpec& spec);

/// Makes one record, 0 <= index < synthetic_record_count(spec); record index / records_per_patient is its patient.
/// Throws InputError for a sign that is none of I, II, V1 ... V6, RA, LA, LL, std::out_of_range for the index.
SyntheticRecord make_synthetic_record(const SyntheticSpec& spec, std::int64_t index);

/// The index of a catalogue path of this spec. Throws InputError.
std::int64_t synthetic_index(const SyntheticSpec& spec, std::string_view path);

/// Where the sign of a lead lies in every record that carries it: the middle of one of ten equal parts of the record
/// (I and RA 1st, II and LA 2nd, LL 3rd, V1 4th, V2 5th, V3 6th, V4 7th, V5 9th, V6 10th). A sign later than data.window_s is cut off with
/// the rest of the record. Throws InputError for a lead that cannot carry a sign.
double planted_time_s(std::string_view lead, const SyntheticSpec& spec);

}  // namespace leadsweep

#include "worker/dataset/synthetic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include <fmt/format.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"
#include "worker/dataset/counter_random.hpp"
#include "worker/dataset/heartbeat.hpp"

namespace leadsweep {
namespace {

/// Keep the streams of patients and of records apart.
constexpr std::uint64_t kPatientSalt = 0x9E6C63D0876A9A47ULL;
constexpr std::uint64_t kRecordSalt = 0xC2B2AE3D27D4EB4FULL;

/// Samples are multiples of 1/16 µV: far below the noise, exact in float32 (also their halves), and safe against the
/// last bit of another machine's exp and sin.
constexpr double kStepsPerMicrovolt = 16;
double quantised(double microvolt) {
    return std::round(microvolt * kStepsPerMicrovolt) / kStepsPerMicrovolt;
}

/// Independent lead i is kLeadNames[kStandardIndex[i]].
constexpr std::array<std::size_t, kIndependentLeadCount> kStandardIndex = {0, 1, 6, 7, 8, 9, 10, 11};
/// Tenth of the record in which the sign of independent lead i lies.
constexpr std::array<int, kIndependentLeadCount> kSignTenth = {0, 1, 3, 4, 5, 6, 8, 9};

/// The limb electrodes and how much of their potentials is in each limb lead; each chest lead has minus a third, by way
/// of the Wilson terminal.
struct LimbElectrode {
    std::string_view name;
    int sign_tenth;
    std::array<double, 6> limb_leads;  ///< I, II, III, aVR, aVL, aVF
};
constexpr std::array<LimbElectrode, 3> kLimbElectrodes = {
    {{"RA", 0, {-1, -1, 0, 1, -0.5, -0.5}}, {"LA", 1, {1, 0, -1, -0.5, 1, -0.5}}, {"LL", 2, {0, 1, 1, -0.5, -0.5, 1}}}};

/// What can be planted: in one lead alone, or at an electrode.
struct Sign {
    std::string_view name;
    int tenth = 0;
    std::array<double, kLeadCount> shares{};  ///< of it in each of the twelve leads
};

Sign sign_of(std::string_view name) {
    for (const LimbElectrode& electrode : kLimbElectrodes) {
        if (electrode.name != name) continue;
        Sign sign{electrode.name, electrode.sign_tenth};
        sign.shares.fill(-1.0 / 3);
        std::copy(electrode.limb_leads.begin(), electrode.limb_leads.end(), sign.shares.begin());
        return sign;
    }
    const auto standard = find_lead(name);
    const auto* const found =
        standard ? std::find(kStandardIndex.begin(), kStandardIndex.end(), *standard) : kStandardIndex.end();
    if (found == kStandardIndex.end())
        throw InputError(fmt::format(
            "data.synthetic.signs: '{}' cannot carry a sign, expected some of I, II, V1, V2, V3, V4, V5, V6 "
            "(the other leads follow from I and II) or of the electrodes RA, LA, LL",
            name));
    Sign sign{kLeadNames[*standard], kSignTenth[static_cast<std::size_t>(found - kStandardIndex.begin())]};
    sign.shares[*standard] = 1;
    return sign;
}

std::string code_of(std::string_view abbreviation) {
    for (const auto& known : label_set("challenge2021").classes)
        if (known.abbreviation == abbreviation) return known.code;
    throw std::logic_error(fmt::format("no class {}", abbreviation));
}

void add_noise(const SyntheticSpec& spec, std::int64_t samples, CounterRandom& random, std::span<double> leads) {
    if (spec.noise_uv == 0) return;
    const auto length = static_cast<std::size_t>(samples);
    for (std::size_t lead = 0; lead < kIndependentLeadCount; ++lead) {
        // Two sines whose sum has standard deviation 1.
        const std::array<double, 2> frequency_hz = {random.uniform(0.05, 0.2), random.uniform(0.2, 0.45)};
        const std::array<double, 2> phase = {random.uniform(0, 2 * std::numbers::pi),
                                             random.uniform(0, 2 * std::numbers::pi)};
        for (std::size_t t = 0; t < length; ++t) {
            const double angle = 2.0 * std::numbers::pi * static_cast<double>(t) / spec.sampling_hz;
            const double wander =
                std::sin(frequency_hz[0] * angle + phase[0]) + std::sin(frequency_hz[1] * angle + phase[1]);
            leads[lead * length + t] += spec.noise_uv * (wander + random.normal());
        }
    }
}

/// The twelve leads from the eight independent ones, by Einthoven's and Goldberger's definitions.
std::vector<float> twelve_leads(std::span<const double> independent, std::size_t length) {
    std::vector<float> signal(kLeadCount * length);
    for (std::size_t t = 0; t < length; ++t) {
        const double lead_i = quantised(independent[t]);
        const double lead_ii = quantised(independent[length + t]);
        const std::array<double, 4> derived = {lead_ii - lead_i, -(lead_i + lead_ii) / 2, lead_i - lead_ii / 2,
                                               lead_ii - lead_i / 2};
        for (std::size_t i = 0; i < derived.size(); ++i) signal[(2 + i) * length + t] = static_cast<float>(derived[i]);
        for (std::size_t i = 0; i < kIndependentLeadCount; ++i)
            signal[kStandardIndex[i] * length + t] = static_cast<float>(quantised(independent[i * length + t]));
    }
    return signal;
}

void plant_sign(const SyntheticSpec& spec, const Sign& planted, SyntheticRecord& record) {
    const double centre_s = planted_time_s(planted.name, spec);
    const auto length = static_cast<std::size_t>(record.samples);
    for (std::size_t t = 0; t < length; ++t) {
        const double distance_s = static_cast<double>(t) / spec.sampling_hz - centre_s;
        const double scaled = distance_s / kSignWidth_s;
        if (std::abs(scaled) > 5) continue;
        const double sign = quantised(spec.sign_uv * std::cos(2.0 * std::numbers::pi * kSign_hz * distance_s) *
                                      std::exp(-0.5 * scaled * scaled));
        for (std::size_t lead = 0; lead < kLeadCount; ++lead) {
            if (planted.shares[lead] == 0) continue;
            float& value = record.signal[lead * length + t];
            value = static_cast<float>(value + planted.shares[lead] * sign);
        }
    }
}

}  // namespace

std::int64_t synthetic_record_count(const SyntheticSpec& spec) {
    return spec.patients * spec.records_per_patient;
}

double planted_time_s(std::string_view lead, const SyntheticSpec& spec) {
    return spec.duration_s * (sign_of(lead).tenth + 0.5) / 10.0;
}

SyntheticRecord make_synthetic_record(const SyntheticSpec& spec, std::int64_t index) {
    if (index < 0 || index >= synthetic_record_count(spec))
        throw std::out_of_range(fmt::format("synthetic record {} of {}", index, synthetic_record_count(spec)));
    const std::int64_t number = index / spec.records_per_patient;
    const auto seed = static_cast<std::uint64_t>(spec.seed);
    CounterRandom patient_random(seed ^ kPatientSalt, static_cast<std::uint64_t>(number));
    CounterRandom random(seed ^ kRecordSalt, static_cast<std::uint64_t>(index));
    const Patient patient = make_patient(patient_random);

    SyntheticRecord record;
    record.patient = fmt::format("p{:07}", number);
    record.path = fmt::format("synthetic/{}_{:03}", record.patient, index % spec.records_per_patient);
    record.sampling_hz = spec.sampling_hz;
    record.samples = std::llround(spec.duration_s * spec.sampling_hz);
    const auto length = static_cast<std::size_t>(record.samples);
    std::vector<double> independent(kIndependentLeadCount * length, 0.0);
    const auto beats = make_beats(patient, spec.duration_s, random);
    add_heart(patient, beats, spec.sampling_hz, record.samples, random, independent);
    add_noise(spec, record.samples, random, independent);
    record.signal = twelve_leads(independent, length);

    for (const auto& abbreviation : class_abbreviations(patient)) record.labels.push_back(code_of(abbreviation));
    if (std::any_of(beats.begin(), beats.end(), [](const Beat& beat) { return beat.is_early; }))
        record.labels.push_back(code_of(patient.ectopy == Ectopy::kVentricular ? "PVC" : "PAC"));
    for (const auto& name : spec.signs) {
        const Sign sign = sign_of(name);
        if (!random.is_drawn(kSignProbability)) continue;
        plant_sign(spec, sign, record);
        record.labels.push_back(fmt::format("planted-{}", sign.name));
    }
    return record;
}

std::int64_t synthetic_index(const SyntheticSpec& spec, std::string_view path) {
    constexpr std::string_view kStart = "synthetic/p";
    std::int64_t patient = -1;
    std::int64_t record = -1;
    const char* const end = path.data() + path.size();
    if (path.starts_with(kStart)) {
        const auto first = std::from_chars(path.data() + kStart.size(), end, patient);
        if (first.ptr != end && *first.ptr == '_') {
            const auto second = std::from_chars(first.ptr + 1, end, record);
            if (second.ptr != end) record = -1;
        }
    }
    if (patient < 0 || patient >= spec.patients || record < 0 || record >= spec.records_per_patient)
        throw InputError(
            fmt::format("{}: no generated record of data.synthetic with {} patients of {} records: survey "
                        "the data again",
                        path, spec.patients, spec.records_per_patient));
    return patient * spec.records_per_patient + record;
}

}  // namespace leadsweep

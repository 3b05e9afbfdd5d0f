#include "worker/dataset/heartbeat.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

namespace leadsweep {
namespace {

constexpr double kTau = 2.0 * std::numbers::pi;
/// QRS begins so long before the R wave.
constexpr double kQrsOnset_s = -0.045;
/// A Gaussian is left out beyond so many widths: 2e-5 of its height.
constexpr double kReach = 4.7;

using Row = std::array<double, 3>;
/// Dower's matrix, rows I, II, V1 ... V6.
constexpr std::array<Row, kIndependentLeadCount> kDower = {{{0.632, -0.235, 0.059},
                                                            {0.235, 1.066, -0.132},
                                                            {-0.515, 0.157, -0.917},
                                                            {0.044, 0.164, -1.387},
                                                            {0.882, 0.098, -1.277},
                                                            {1.213, 0.127, -0.601},
                                                            {1.125, 0.127, -0.086},
                                                            {0.831, 0.076, 0.230}}};

/// Index drawn with these probabilities; they add up to 1.
template <std::size_t Count>
std::size_t draw(CounterRandom& random, const std::array<double, Count>& probabilities) {
    double left = random.uniform();
    for (std::size_t i = 0; i + 1 < Count; ++i) {
        if (left < probabilities[i]) return i;
        left -= probabilities[i];
    }
    return Count - 1;
}

double draw_rate(Rhythm rhythm, double flutter_hz, CounterRandom& random) {
    switch (rhythm) {
        case Rhythm::kBradycardia:
            return random.uniform(42, 55);
        case Rhythm::kTachycardia:
            return random.uniform(106, 145);
        case Rhythm::kFibrillation:
            return random.uniform(70, 125);
        case Rhythm::kFlutter:
            return 60.0 * flutter_hz / static_cast<double>(2 + random.below(3));
        default:
            return random.uniform(65, 95);
    }
}

double draw_axis(Conduction conduction, CounterRandom& random) {
    if (conduction == Conduction::kLeftBundleBlock) return random.uniform(0, 45);
    switch (draw(random, std::array{0.70, 0.18, 0.12})) {
        case 1:
            return random.uniform(-75, -45);
        case 2:
            return random.uniform(110, 150);
        default:
            return random.uniform(15, 75);
    }
}

/// The dipole whose main frontal deflection has this size and axis. The axis is that of cardiology: atan2(2/sqrt(3)
/// aVF, I).
Row frontal_dipole(double size_uv, double axis_degrees, double z) {
    const double axis = axis_degrees * std::numbers::pi / 180.0;
    const double lead_i = size_uv * std::cos(axis);
    const double lead_ii = size_uv * std::sin(axis) * std::numbers::sqrt3 / 2.0 + lead_i / 2.0;
    const auto& [i, ii] = std::pair(kDower[0], kDower[1]);
    const double a = lead_i - i[2] * z;
    const double b = lead_ii - ii[2] * z;
    const double determinant = i[0] * ii[1] - i[1] * ii[0];
    return {(ii[1] * a - i[1] * b) / determinant, (i[0] * b - ii[0] * a) / determinant, z};
}

void add_p_waves(const Patient& patient, bool is_early, std::vector<Wave>& waves) {
    const double onset = kQrsOnset_s - patient.pr_s;
    // An early atrial beat starts elsewhere in the atria: its P points the other way.
    const double y = is_early ? -60 : 70;
    waves.push_back({onset + 0.040, 0.016, 0.016, 50, y, -50});
    waves.push_back({onset + 0.065, 0.018, 0.018, 70, y, 60});
}

double qrs_scale(const Patient& patient) {
    return patient.amplitude * (patient.is_low_voltage ? 0.3 : 1.0);
}
double t_scale(const Patient& patient) {
    return patient.amplitude * (patient.is_low_voltage ? 0.4 : 1.0);
}

/// T wave with its end at QT after the onset of QRS.
void add_t_wave(const Patient& patient, const Row& dipole, std::vector<Wave>& waves) {
    const double qt = patient.qtc_s * std::sqrt(60.0 / patient.rate_bpm);
    const double after = 0.085 * qt;
    waves.push_back({kQrsOnset_s + qt - 2.0 * after, 0.12 * qt, after, dipole[0], dipole[1], dipole[2]});
}

void add_left_bundle_block(const Patient& patient, double scale, std::vector<Wave>& waves) {
    const Row first = frontal_dipole(620 * scale, patient.axis_degrees, 650 * scale);
    const Row second = frontal_dipole(560 * scale, patient.axis_degrees - 15, 480 * scale);
    waves.push_back({-0.005, 0.020, 0.022, first[0], first[1], first[2]});
    waves.push_back({0.050, 0.024, 0.024, second[0], second[1], second[2]});
    const double t = t_scale(patient);
    add_t_wave(patient, {-380 * t, -110 * t, -330 * t}, waves);
}

void add_narrow_qrs(const Patient& patient, double scale, std::vector<Wave>& waves) {
    const bool is_right_block = patient.conduction == Conduction::kRightBundleBlock;
    const Row main = frontal_dipole(1000 * scale, patient.axis_degrees, 480 * scale);
    waves.push_back({-0.025, 0.008, 0.008, -150 * scale, -50 * scale, -240 * scale});
    waves.push_back({0.0, 0.011, 0.011, main[0], main[1], main[2]});
    if (is_right_block)
        waves.push_back({0.062, 0.020, 0.020, -480 * scale, -40 * scale, -560 * scale});
    else
        waves.push_back({0.028, 0.010, 0.010, -190 * scale, -120 * scale, 320 * scale});
    const double t = (patient.is_t_inverted ? -0.9 : 1.0) * t_scale(patient);
    // Right bundle branch block turns T away from V1 to V3.
    add_t_wave(patient, {250 * t, 220 * t, (is_right_block ? 110 : -150) * t}, waves);
}

void add_ventricular_early_beat(const Patient& patient, std::vector<Wave>& waves) {
    const double scale = qrs_scale(patient);
    waves.push_back({0.000, 0.030, 0.030, -500 * scale, 900 * scale, -350 * scale});
    waves.push_back({0.060, 0.034, 0.034, -650 * scale, 500 * scale, -100 * scale});
    waves.push_back({0.330, 0.070, 0.050, 420 * scale, -500 * scale, 180 * scale});
}

/// Independent leads of the atrial waves of AF or AFL at every sample.
void add_atrial_waves(const Patient& patient, double sampling_hz, std::int64_t samples, CounterRandom& random,
                      std::span<double> leads) {
    const bool is_flutter = patient.rhythm == Rhythm::kFlutter;
    const Row dipole = is_flutter ? Row{-20, -110, -45} : Row{-20, 45, -70};
    const double base_hz = is_flutter ? patient.flutter_hz : random.uniform(5.5, 7.5);
    const double sway_hz = random.uniform(0.15, 0.4);
    const double sway_phase = random.uniform(0, kTau);
    const double swell_phase = random.uniform(0, kTau);
    double phase = random.uniform(0, kTau);
    std::array<double, kIndependentLeadCount> unit{};
    project(dipole[0], dipole[1], dipole[2], unit);
    for (std::int64_t t = 0; t < samples; ++t) {
        const double time_s = static_cast<double>(t) / sampling_hz;
        const double sway = is_flutter ? 0.0 : 0.9 * std::sin(kTau * sway_hz * time_s + sway_phase);
        phase += kTau * (base_hz + sway) / sampling_hz;
        const double swell = is_flutter ? 1.0 : 1.0 + 0.35 * std::sin(kTau * 0.37 * time_s + swell_phase);
        // The first three terms of a sawtooth for flutter; two for fibrillation.
        double wave = std::sin(phase) + 0.5 * std::sin(2.0 * phase);
        if (is_flutter) wave += std::sin(3.0 * phase) / 3.0;
        for (std::size_t lead = 0; lead < kIndependentLeadCount; ++lead)
            leads[lead * static_cast<std::size_t>(samples) + static_cast<std::size_t>(t)] += unit[lead] * wave * swell;
    }
}

void add_wave(const Wave& wave, double beat_s, double sampling_hz, std::int64_t samples, std::span<double> leads) {
    const double centre = beat_s + wave.centre_s;
    const auto sample_at = [&](double time_s) {
        return std::clamp<std::int64_t>(std::llround(time_s * sampling_hz), 0, samples);
    };
    const std::int64_t begin = sample_at(centre - kReach * wave.width_before_s);
    const std::int64_t end = sample_at(centre + kReach * wave.width_after_s);
    std::array<double, kIndependentLeadCount> height{};
    project(wave.x, wave.y, wave.z, height);
    for (std::int64_t t = begin; t < end; ++t) {
        const double distance = static_cast<double>(t) / sampling_hz - centre;
        const double scaled = distance / (distance < 0 ? wave.width_before_s : wave.width_after_s);
        const double shape = std::exp(-0.5 * scaled * scaled);
        for (std::size_t lead = 0; lead < kIndependentLeadCount; ++lead)
            leads[lead * static_cast<std::size_t>(samples) + static_cast<std::size_t>(t)] += height[lead] * shape;
    }
}

double next_interval(const Patient& patient, double rr, double time_s, double breath_phase, CounterRandom& random) {
    constexpr double kBreath_hz = 0.25;
    const double breath = std::sin(kTau * kBreath_hz * time_s + breath_phase);
    switch (patient.rhythm) {
        case Rhythm::kFibrillation:
            return std::clamp(rr * std::exp(0.22 * random.normal()), 0.33, 1.6);
        case Rhythm::kFlutter:
            return rr;
        case Rhythm::kSinusArrhythmia:
            return rr * (1.0 + 0.17 * breath + 0.01 * random.normal());
        default:
            return rr * (1.0 + 0.02 * breath + 0.01 * random.normal());
    }
}

}  // namespace

void project(double x, double y, double z, std::span<double, kIndependentLeadCount> leads) {
    for (std::size_t lead = 0; lead < kIndependentLeadCount; ++lead)
        leads[lead] = kDower[lead][0] * x + kDower[lead][1] * y + kDower[lead][2] * z;
}

Patient make_patient(CounterRandom& random) {
    Patient patient;
    patient.rhythm = static_cast<Rhythm>(draw(random, std::array{0.36, 0.16, 0.14, 0.08, 0.15, 0.11}));
    patient.conduction = static_cast<Conduction>(draw(random, std::array{0.54, 0.14, 0.14, 0.18}));
    patient.ectopy = static_cast<Ectopy>(draw(random, std::array{0.70, 0.14, 0.16}));
    patient.flutter_hz = random.uniform(4.7, 5.3);
    patient.rate_bpm = draw_rate(patient.rhythm, patient.flutter_hz, random);
    // Without P waves there is neither a PR interval nor an early atrial beat to see.
    if (!patient.has_p_wave() && patient.conduction == Conduction::kFirstDegreeBlock)
        patient.conduction = Conduction::kNormal;
    if (!patient.has_p_wave() && patient.ectopy == Ectopy::kAtrial) patient.ectopy = Ectopy::kNone;
    patient.pr_s =
        patient.conduction == Conduction::kFirstDegreeBlock ? random.uniform(0.225, 0.30) : random.uniform(0.13, 0.18);
    patient.axis_degrees = draw_axis(patient.conduction, random);
    patient.qtc_s = random.is_drawn(0.14) ? random.uniform(0.50, 0.55) : random.uniform(0.38, 0.43);
    patient.amplitude = std::exp(0.15 * random.normal());
    patient.is_t_inverted = random.is_drawn(0.14) && patient.conduction != Conduction::kLeftBundleBlock;
    patient.is_low_voltage = random.is_drawn(0.08);
    return patient;
}

std::vector<std::string> class_abbreviations(const Patient& patient) {
    static constexpr std::array<const char*, 6> kRhythms = {"NSR", "SB", "STach", "SA", "AF", "AFL"};
    static constexpr std::array<const char*, 4> kConductions = {"", "IAVB", "LBBB", "RBBB"};
    std::vector<std::string> names{kRhythms[static_cast<std::size_t>(patient.rhythm)]};
    if (patient.conduction != Conduction::kNormal)
        names.emplace_back(kConductions[static_cast<std::size_t>(patient.conduction)]);
    if (patient.axis_degrees < -30) names.emplace_back("LAD");
    if (patient.axis_degrees > 90) names.emplace_back("RAD");
    if (patient.has_long_qt()) names.emplace_back("LQT");
    if (patient.is_t_inverted) names.emplace_back("TInv");
    if (patient.is_low_voltage) names.emplace_back("LQRSV");
    return names;
}

std::vector<Beat> make_beats(const Patient& patient, double duration_s, CounterRandom& random) {
    const double rr = 60.0 / patient.rate_bpm;
    const double breath_phase = random.uniform(0, kTau);
    std::vector<double> early_after_s;
    if (patient.ectopy != Ectopy::kNone && duration_s >= 4.0) {
        for (std::uint64_t count = 1 + random.below(3); count > 0; --count)
            early_after_s.push_back(random.uniform(0.5, duration_s - 2.5));
        std::sort(early_after_s.begin(), early_after_s.end(), std::greater<>());
    }
    // A ventricular beat leaves the sinus node in step; an atrial one resets it.
    const double pause = patient.ectopy == Ectopy::kVentricular ? 2.0 : 1.7;
    std::vector<Beat> beats;
    double time_s = -rr * (1.0 + random.uniform());
    while (time_s < duration_s + 1.0) {
        beats.push_back({time_s, false});
        const double interval = next_interval(patient, rr, time_s, breath_phase, random);
        if (early_after_s.empty() || time_s < early_after_s.back()) {
            time_s += interval;
            continue;
        }
        early_after_s.pop_back();
        beats.push_back({time_s + 0.62 * interval, true});
        time_s += pause * interval;
    }
    return beats;
}

std::vector<Wave> waves_of(const Patient& patient, bool is_early) {
    std::vector<Wave> waves;
    if (is_early && patient.ectopy == Ectopy::kVentricular) {
        add_ventricular_early_beat(patient, waves);
        return waves;
    }
    if (patient.has_p_wave()) add_p_waves(patient, is_early, waves);
    const double scale = qrs_scale(patient);
    if (patient.conduction == Conduction::kLeftBundleBlock)
        add_left_bundle_block(patient, scale, waves);
    else
        add_narrow_qrs(patient, scale, waves);
    return waves;
}

void add_heart(const Patient& patient, std::span<const Beat> beats, double sampling_hz, std::int64_t samples,
               CounterRandom& random, std::span<double> leads) {
    const auto regular = waves_of(patient, false);
    const auto early = waves_of(patient, true);
    for (const Beat& beat : beats)
        for (const Wave& wave : beat.is_early ? early : regular)
            add_wave(wave, beat.time_s, sampling_hz, samples, leads);
    if (!patient.has_p_wave()) add_atrial_waves(patient, sampling_hz, samples, random, leads);
}

}  // namespace leadsweep

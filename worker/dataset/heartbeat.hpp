// The heart of generated records: what a patient's heart does (rhythm, conduction, axis, ...), when it beats, and the
// electrical dipole of every beat, projected onto the leads. A model for tests and demonstrations, not for diagnosis.
//
// Every wave of a beat is a dipole vector times a Gaussian in time (after Sameni et al. 2007, doi:10.1155/2007/43407);
// leads follow by Dower's matrix (Dower et al. 1980, doi:10.1002/clc.1980.3.2.87). Axes: x left, y inferior, z
// posterior.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "worker/dataset/counter_random.hpp"

namespace leadsweep {

enum class Rhythm { kSinus, kBradycardia, kTachycardia, kSinusArrhythmia, kFibrillation, kFlutter };
enum class Conduction { kNormal, kFirstDegreeBlock, kLeftBundleBlock, kRightBundleBlock };
enum class Ectopy { kNone, kAtrial, kVentricular };

/// What stays the same in all records of a patient.
struct Patient {
    Rhythm rhythm = Rhythm::kSinus;
    Conduction conduction = Conduction::kNormal;
    Ectopy ectopy = Ectopy::kNone;
    double rate_bpm = 75;
    double flutter_hz = 5;     ///< of the atria, in flutter
    double pr_s = 0.16;        ///< onset of P to onset of QRS
    double qtc_s = 0.41;       ///< Bazett: QT = qtc * sqrt(RR)
    double axis_degrees = 50;  ///< of the main QRS vector in the frontal plane
    double amplitude = 1;
    bool is_t_inverted = false;
    bool is_low_voltage = false;

    bool has_p_wave() const { return rhythm != Rhythm::kFibrillation && rhythm != Rhythm::kFlutter; }
    bool has_long_qt() const { return qtc_s > 0.48; }
};

/// Draws a patient. Classes and what they change: NSR 65-95/min; SB 42-55/min; STach 106-145/min; SA breathing changes
/// RR by a sixth; AF no P, irregular RR, fibrillatory waves; AFL no P, flutter waves near 300/min, conducted 2:1 to
/// 4:1; IAVB PR > 200 ms; LBBB wide QRS, QS in V1, broad R in V6, opposite T; RBBB wide QRS, rSR' in V1, broad S in I
/// and V6; LAD, RAD frontal axis; PVC wide early beats without P and a full pause; PAC early beats with another P; LQT
/// QTc > 480 ms; TInv inverted T; LQRSV small QRS.
Patient make_patient(CounterRandom& random);

/// Abbreviations (shared/ecg/classes.hpp) of a patient's classes, those of early beats apart.
std::vector<std::string> class_abbreviations(const Patient& patient);

struct Beat {
    double time_s = 0;  ///< of the R wave
    bool is_early = false;
};

/// Beats from before 0 to after the end, in order. One to three early ones lie within the record if the patient has
/// ectopy and the record is long enough (4 s).
std::vector<Beat> make_beats(const Patient& patient, double duration_s, CounterRandom& random);

/// A wave: dipole in µV, its time after the R wave, and its widths (standard deviations) before and after its peak.
struct Wave {
    double centre_s;
    double width_before_s;
    double width_after_s;
    double x, y, z;
};
std::vector<Wave> waves_of(const Patient& patient, bool is_early);

/// Leads that no other lead determines, in the order of the arrays here: I, II, V1 ... V6.
inline constexpr std::size_t kIndependentLeadCount = 8;
/// µV of the independent leads for a dipole.
void project(double x, double y, double z, std::span<double, kIndependentLeadCount> leads);

/// Adds all beats and, in AF and AFL, the atrial waves to `leads`: [8, samples] in µV.
void add_heart(const Patient& patient, std::span<const Beat> beats, double sampling_hz, std::int64_t samples,
               CounterRandom& random, std::span<double> leads);

}  // namespace leadsweep

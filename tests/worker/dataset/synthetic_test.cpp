#include "worker/dataset/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "shared/ecg/classes.hpp"
#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/heartbeat.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

SyntheticSpec clean_spec() {
    SyntheticSpec spec;
    spec.patients = 300;
    spec.records_per_patient = 1;
    spec.noise_uv = 0;
    return spec;
}

std::set<std::string> abbreviations(const SyntheticRecord& record) {
    const auto& set = label_set("synthetic");
    std::set<std::string> names;
    for (const auto& code : record.labels) names.insert(set.classes.at(set.find(code).value()).abbreviation);
    return names;
}

/// R waves by the energy of the slope over all precordial leads: a detector that knows nothing of the generator.
std::vector<double> detect_beats(const SyntheticRecord& record) {
    const auto samples = static_cast<std::size_t>(record.samples);
    const auto width = static_cast<std::size_t>(0.12 * record.sampling_hz);
    std::vector<double> energy(samples, 0.0);
    for (std::size_t lead = 6; lead < 12; ++lead)
        for (std::size_t t = 1; t < samples; ++t)
            energy[t] += std::pow(record.lead(lead)[t] - record.lead(lead)[t - 1], 2);
    std::vector<double> smooth(samples, 0.0);
    double sum = 0;
    for (std::size_t t = 0; t < samples; ++t) {
        sum += energy[t] - (t >= width ? energy[t - width] : 0.0);
        smooth[t] = sum;
    }
    const double threshold = 0.25 * *std::max_element(smooth.begin(), smooth.end());
    std::vector<double> beats_s;
    for (std::size_t t = 1; t < samples; ++t)
        if (smooth[t] >= threshold && smooth[t - 1] < threshold)
            beats_s.push_back(static_cast<double>(t) / record.sampling_hz);
    return beats_s;
}

double rate_bpm(const std::vector<double>& beats_s) {
    return 60.0 * static_cast<double>(beats_s.size() - 1) / (beats_s.back() - beats_s.front());
}

/// Net QRS of a lead: sum of maximum and minimum.
double net_deflection(std::span<const float> lead) {
    const auto [least, most] = std::minmax_element(lead.begin(), lead.end());
    return *least + *most;
}

}  // namespace

TEST_CASE("SplitMix64 gives the published numbers", "[synthetic]") {
    // Rosetta Code, "Pseudo-random numbers/Splitmix64", seed 1234567.
    std::uint64_t state = 1234567;
    for (const std::uint64_t expected : {6457827717110365317ULL, 3203168211198807973ULL, 9817491932198370423ULL,
                                         4593380528125082431ULL, 16408922859458223821ULL})
        CHECK(split_mix64(state) == expected);
}

TEST_CASE("Generated limb leads obey Einthoven's and Goldberger's laws, with noise and without", "[synthetic]") {
    auto spec = clean_spec();
    spec.signs = {"V2"};
    spec.noise_uv = GENERATE(0.0, 35.0);
    for (std::int64_t index = 0; index < 20; ++index) {
        const auto record = make_synthetic_record(spec, index);
        double error = 0;
        for (std::size_t t = 0; t < static_cast<std::size_t>(record.samples); ++t) {
            const double i = record.lead(0)[t];
            const double ii = record.lead(1)[t];
            error = std::max({error, std::abs(record.lead(2)[t] - (ii - i)), std::abs(record.lead(3)[t] + (i + ii) / 2),
                              std::abs(record.lead(4)[t] - (i - ii / 2)), std::abs(record.lead(5)[t] - (ii - i / 2))});
        }
        CHECK(error < 1e-3);
    }
}

TEST_CASE("A record depends on seed and index alone", "[synthetic]") {
    auto spec = clean_spec();
    spec.noise_uv = 20;
    const auto once = make_synthetic_record(spec, 7);
    spec.patients = 8;  // later patients do not change earlier ones
    const auto again = make_synthetic_record(spec, 7);
    CHECK(once.signal == again.signal);
    CHECK(once.labels == again.labels);
    CHECK(once.path == "synthetic/p0000007_000");
    CHECK(make_synthetic_record(spec, 6).signal != once.signal);
    spec.seed = 2;
    CHECK(make_synthetic_record(spec, 7).signal != once.signal);
}

TEST_CASE("Samples are multiples of 1/16 uV, so that other machines make the same bits", "[synthetic]") {
    auto spec = clean_spec();
    spec.noise_uv = 20;
    const auto record = make_synthetic_record(spec, 3);
    for (const float value : record.lead(7)) REQUIRE(value * 16 == std::round(value * 16));
}

TEST_CASE("Rates lie in the range of their class", "[synthetic]") {
    auto spec = clean_spec();
    spec.duration_s = 20;
    std::map<std::string, std::array<double, 2>> ranges = {
        {"NSR", {60, 100}}, {"SB", {0, 60}}, {"STach", {100, 200}}, {"SA", {55, 100}}};
    std::map<std::string, int> seen;
    for (std::int64_t index = 0; index < spec.patients; ++index) {
        const auto record = make_synthetic_record(spec, index);
        const auto names = abbreviations(record);
        if (names.count("PVC") || names.count("PAC") || names.count("LQRSV")) continue;
        for (const auto& [name, range] : ranges) {
            if (!names.count(name)) continue;
            const double rate = rate_bpm(detect_beats(record));
            CAPTURE(index, name, rate);
            CHECK(rate > range[0]);
            CHECK(rate < range[1]);
            ++seen[name];
        }
    }
    for (const auto& [name, range] : ranges) CHECK(seen[name] >= 5);
}

TEST_CASE("Atrial fibrillation is irregular and sinus rhythm is not", "[synthetic]") {
    auto spec = clean_spec();
    spec.duration_s = 30;
    int seen = 0;
    for (std::int64_t index = 0; index < 120; ++index) {
        const auto record = make_synthetic_record(spec, index);
        const auto names = abbreviations(record);
        const bool is_fibrillation = names.count("AF") > 0;
        if ((!is_fibrillation && !names.count("NSR")) || names.count("PVC") || names.count("PAC") ||
            names.count("LQRSV"))
            continue;
        const auto beats = detect_beats(record);
        std::vector<double> intervals;
        for (std::size_t i = 1; i < beats.size(); ++i) intervals.push_back(beats[i] - beats[i - 1]);
        const double mean = (beats.back() - beats.front()) / static_cast<double>(intervals.size());
        double variance = 0;
        for (const double rr : intervals) variance += (rr - mean) * (rr - mean) / static_cast<double>(intervals.size());
        CAPTURE(index, is_fibrillation);
        CHECK((std::sqrt(variance) / mean > 0.1) == is_fibrillation);
        seen += is_fibrillation ? 1 : 0;
    }
    CHECK(seen >= 5);
}

TEST_CASE("Axis and bundle branch blocks show in the leads where cardiology looks for them", "[synthetic]") {
    const auto spec = clean_spec();
    std::map<std::string, int> seen;
    for (std::int64_t index = 0; index < spec.patients; ++index) {
        const auto record = make_synthetic_record(spec, index);
        const auto names = abbreviations(record);
        if (names.count("PVC") || names.count("AFL") || names.count("TInv")) continue;
        CAPTURE(record.labels);
        const bool is_block = names.count("LBBB") || names.count("RBBB");
        const double lead_i = net_deflection(record.lead(0));
        const double avf = net_deflection(record.lead(5));
        CAPTURE(index);
        for (const auto& name : names) ++seen[name];
        // Left axis: I up, aVF down. Right axis: I down, aVF up.
        if (names.count("LAD") && !is_block) CHECK((lead_i > 0 && avf < 0));
        if (names.count("RAD") && !is_block) CHECK((lead_i < 0 && avf > 0));
        const auto v1 = record.lead(6);
        const double v1_peak = *std::max_element(v1.begin(), v1.end());
        const double v1_trough = *std::min_element(v1.begin(), v1.end());
        const double v6_peak = *std::max_element(record.lead(11).begin(), record.lead(11).end());
        if (names.count("LBBB") && !names.count("LQRSV")) CHECK((v1_trough < -500 && v6_peak > 400));
        if (names.count("RBBB") && !names.count("LQRSV")) CHECK(v1_peak > 400);
        if (!is_block && !names.count("LQRSV") && !names.count("RAD")) CHECK(v1_peak < -v1_trough);
    }
    for (const char* name :
         {"LAD", "RAD", "LBBB", "RBBB", "IAVB", "PAC", "LQT", "SB", "STach", "NSR", "SA", "AF", "LQRSV"}) {
        CAPTURE(name);
        CHECK(seen[name] >= 3);
    }
}

TEST_CASE("PR and QT intervals of a patient's waves fit the class", "[synthetic]") {
    CounterRandom random(5, 0);
    for (int i = 0; i < 200; ++i) {
        const Patient patient = make_patient(random);
        const auto waves = waves_of(patient, false);
        const auto names = class_abbreviations(patient);
        const bool is_blocked = std::find(names.begin(), names.end(), "IAVB") != names.end();
        if (patient.has_p_wave()) {
            // P begins 2.5 widths before its peak, QRS 45 ms before R.
            const double pr = -0.045 - (waves.front().centre_s - 2.5 * waves.front().width_before_s);
            CHECK((pr > 0.2) == is_blocked);
        }
        const double qt = waves.back().centre_s + 2 * waves.back().width_after_s + 0.045;
        const double qtc = qt / std::sqrt(60.0 / patient.rate_bpm);
        CHECK((qtc > 0.48) == (std::find(names.begin(), names.end(), "LQT") != names.end()));
    }
}

TEST_CASE("A sign lies at its promised time in its lead alone, and only where the label says so", "[synthetic]") {
    const auto spec = clean_spec();
    for (const std::string lead : {"I", "II", "V1", "V2", "V3", "V4", "V5", "V6"}) {
        auto with_sign = spec;
        with_sign.signs = {lead};
        int carriers = 0;
        for (std::int64_t index = 0; index < 60; ++index) {
            const auto plain = make_synthetic_record(spec, index);
            const auto record = make_synthetic_record(with_sign, index);
            const bool is_labelled = std::count(record.labels.begin(), record.labels.end(), "planted-" + lead) == 1;
            carriers += is_labelled ? 1 : 0;
            double largest = 0;
            double time_s = 0;
            double largest_elsewhere = 0;
            for (std::size_t other = 0; other < 12; ++other)
                for (std::size_t t = 0; t < static_cast<std::size_t>(record.samples); ++t) {
                    const double change = record.lead(other)[t] - plain.lead(other)[t];
                    if (kLeadNames[other] != lead) {
                        largest_elsewhere = std::max(largest_elsewhere, std::abs(change));
                    } else if (change > largest) {
                        largest = change;
                        time_s = static_cast<double>(t) / record.sampling_hz;
                    }
                }
            CAPTURE(lead, index);
            CHECK(largest_elsewhere == 0);
            CHECK(largest == Approx(is_labelled ? 200.0 : 0.0).margin(0.1));
            if (is_labelled) CHECK(time_s == Approx(planted_time_s(lead, with_sign)).margin(0.002));
        }
        // 60 draws of probability 0.35: 21 +- 3.7.
        CHECK(carriers > 8);
        CHECK(carriers < 34);
    }
}

TEST_CASE("A sign of an electrode is in every lead that hangs on it, and keeps Einthoven's law", "[synthetic]") {
    const auto spec = clean_spec();
    auto with_sign = spec;
    with_sign.signs = {"LL"};
    bool is_seen = false;
    for (std::int64_t index = 0; index < 20; ++index) {
        const auto plain = make_synthetic_record(spec, index);
        const auto record = make_synthetic_record(with_sign, index);
        if (std::count(record.labels.begin(), record.labels.end(), "planted-LL") == 0) continue;
        is_seen = true;
        const auto at = static_cast<std::size_t>(std::llround(planted_time_s("LL", with_sign) * record.sampling_hz));
        const std::vector<double> shares{0, 1, 1, -0.5, -0.5, 1, -1.0 / 3};
        for (std::size_t lead = 0; lead < shares.size(); ++lead)
            CHECK(record.lead(lead)[at] - plain.lead(lead)[at] == Approx(200 * shares[lead]).margin(0.1));
        for (std::size_t t = 0; t < static_cast<std::size_t>(record.samples); ++t)
            REQUIRE(record.lead(1)[t] - record.lead(0)[t] == record.lead(2)[t]);
    }
    CHECK(is_seen);
}

TEST_CASE("Signs lie in different tenths of the record", "[synthetic]") {
    const auto spec = clean_spec();
    std::set<int> tenths;
    for (const char* lead : {"I", "II", "V1", "V2", "V3", "V4", "V5", "V6"}) {
        const double tenth = planted_time_s(lead, spec) / spec.duration_s * 10;
        CHECK(tenth - std::floor(tenth) == Approx(0.5));
        tenths.insert(static_cast<int>(tenth));
    }
    CHECK(tenths.size() == 8);
}

TEST_CASE("Signs in derived leads and unknown leads are refused", "[synthetic]") {
    auto spec = clean_spec();
    spec.signs = {GENERATE("aVL", "III", "V7", "")};
    CHECK(has_all(input_error_of([&] { make_synthetic_record(spec, 0); }),
                  {"data.synthetic.signs", "'" + spec.signs[0] + "'", "I, II, V1"}));
}

TEST_CASE("Paths lead back to indices, and patients share rhythm and conduction", "[synthetic]") {
    auto spec = clean_spec();
    spec.records_per_patient = 3;
    for (const std::int64_t index : {0, 4, 899})
        CHECK(synthetic_index(spec, make_synthetic_record(spec, index).path) == index);
    for (const std::string path : {"georgia/E1", "synthetic/p0000300_000", "synthetic/p0000001_003", "synthetic/p1_0x"})
        CHECK(has_all(input_error_of([&] { synthetic_index(spec, path); }), {path}));
    CHECK_THROWS_AS(make_synthetic_record(spec, 900), std::out_of_range);
    for (std::int64_t patient = 0; patient < 40; ++patient) {
        auto first = abbreviations(make_synthetic_record(spec, 3 * patient));
        auto second = abbreviations(make_synthetic_record(spec, 3 * patient + 1));
        for (const char* changing : {"PVC", "PAC"}) {
            first.erase(changing);
            second.erase(changing);
        }
        CHECK(first == second);
    }
}

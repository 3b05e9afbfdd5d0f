#include "worker/explain/beats.hpp"

#include <cmath>
#include <random>

#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"
#include "tests/support/catch.hpp"
#include "worker/explain/electrodes.hpp"

using namespace leadsweep;

namespace {

/// [2, T]: P, QRS and T waves as Gaussians at known beats, wander and noise; lead 0 is constant.
std::vector<float> made_up(const std::vector<double>& beats_s, double hz, double seconds) {
    const auto samples = static_cast<std::size_t>(seconds * hz);
    std::vector<float> signal(2 * samples, 100.0F);
    std::mt19937 random(4);
    std::normal_distribution<double> noise(0, 15);
    const auto wave = [](double t, double at, double width) { return std::exp(-0.5 * std::pow((t - at) / width, 2)); };
    for (std::size_t i = 0; i < samples; ++i) {
        const double t = static_cast<double>(i) / hz;
        double value = noise(random) + 150 * std::sin(2 * 3.14159 * 0.3 * t);
        for (const double r : beats_s)
            value += 120 * wave(t, r - 0.16, 0.02) - 900 * wave(t, r, 0.012) + 300 * wave(t, r + 0.28, 0.05);
        signal[samples + i] = static_cast<float>(value);
    }
    return signal;
}

}  // namespace

TEST_CASE("R peaks of made-up beats are found within 20 ms, of either polarity, irregular as they are", "[beats]") {
    const double hz = GENERATE(75.0, 100.0, 500.0);
    const std::vector<double> beats{0.6, 1.4, 2.3, 2.8, 3.9, 4.5, 5.5, 6.2, 7.1, 8.3, 9.2};
    const auto found = find_r_peaks(made_up(beats, hz, 10), 2, hz);
    REQUIRE(found.size() == beats.size());
    for (std::size_t i = 0; i < beats.size(); ++i)
        CHECK(std::abs(static_cast<double>(found[i]) / hz - beats[i]) <= 0.02);
}

TEST_CASE("A record without any change has no beats", "[beats]") {
    CHECK(find_r_peaks(std::vector<float>(2000, 7.0F), 2, 100).empty());
}

TEST_CASE("Samples around a peak belong to P, QRS and ST-T; QRS goes before its neighbours", "[beats]") {
    const std::vector<std::int64_t> peaks{100, 130};
    const auto parts = beat_parts(peaks, 200, 100);
    CHECK(parts[60] == 3);
    CHECK(parts[80] == 0);
    CHECK(parts[94] == 1);
    CHECK(parts[105] == 1);
    CHECK(parts[106] == 2);
    CHECK(parts[119] == 2);  // 65 % of the way
    CHECK(parts[121] == 0);  // the next beat's P
    CHECK(parts[125] == 1);
    CHECK(parts[140] == 2);
    CHECK(parts[199] == 3);
    CHECK(beat_parts({}, 5, 100) == std::vector<std::int64_t>(5, 3));
}

TEST_CASE("Spans share a record out among its beats: 65 % of the way to the next R peak are a beat's own", "[beats]") {
    const std::vector<std::int64_t> peaks{100, 200, 220};
    const auto spans = beat_spans(peaks, 300);
    REQUIRE(spans.size() == 3);
    CHECK(spans[0].begin == 0);
    CHECK(spans[0].end == 165);
    CHECK(spans[1].begin == 165);
    CHECK(spans[1].end == 213);
    CHECK(spans[2].r == 220);
    CHECK(spans[2].end == 300);
    CHECK(beat_spans({}, 300).empty());
}

TEST_CASE("Pieces of 50 ms lie at the same times from the R peak at every rate", "[beats]") {
    const double hz = GENERATE(50.0, 100.0, 500.0);
    const auto at = [&](double seconds) { return std::llround(seconds * hz); };
    const std::vector<std::int64_t> peaks{at(1), at(2), at(2.4)};
    const auto pieces = beat_pieces(peaks, at(3), hz);
    const auto piece = [&](double seconds) { return pieces[static_cast<std::size_t>(at(seconds))]; };
    CHECK(piece(0.74) == kBeatPieces - 1);
    CHECK(piece(0.76) == 0);
    CHECK(piece(1.0) == 5);  // the R peak begins its piece
    CHECK(piece(1.04) == 5);
    CHECK(piece(1.06) == 6);
    CHECK(piece(1.44) == 13);
    CHECK(piece(1.46) == kBeatPieces - 1);
    CHECK(piece(2.24) == 9);  // 60 % of the way
    CHECK(piece(2.28) == 2);  // the next beat's, 120 ms before its R peak
    CHECK(beat_pieces({}, 3, hz) == std::vector<std::int64_t>(3, kBeatPieces - 1));
}

TEST_CASE("Leads to electrodes and back are the same leads", "[electrodes]") {
    const auto leads = standard_lead_names();
    const auto maps = electrode_maps(leads);
    REQUIRE(maps.electrodes == electrode_names());
    // Any potentials give consistent leads, from which the same leads come back.
    std::vector<double> potentials{3, -1, 7, 2, 5, 11, -4, 6, 1};
    std::vector<double> made(12, 0);
    for (std::size_t e = 0; e < 9; ++e)
        for (std::size_t l = 0; l < 12; ++l) made[l] += potentials[e] * static_cast<double>(maps.to_leads[e * 12 + l]);
    CHECK(made[0] == Approx(-4));  // LA - RA
    CHECK(made[1] - made[0] == Approx(made[2]));
    CHECK(made[3] == Approx(-(made[0] + made[1]) / 2));
    CHECK(made[5] == Approx((made[1] + made[2]) / 2));
    CHECK(made[6] == Approx(2 - 3.0));  // V1 against (3 - 1 + 7) / 3
    std::vector<double> again(12, 0);
    for (std::size_t e = 0; e < 9; ++e) {
        double potential = 0;
        for (std::size_t l = 0; l < 12; ++l) potential += made[l] * static_cast<double>(maps.from_leads[l * 9 + e]);
        for (std::size_t l = 0; l < 12; ++l) again[l] += potential * static_cast<double>(maps.to_leads[e * 12 + l]);
    }
    for (std::size_t l = 0; l < 12; ++l) CHECK(again[l] == Approx(made[l]).margin(1e-5));
    CHECK(electrode_maps({"I", "II", "V2"}).electrodes == std::vector<std::string>{"RA", "LA", "LL", "V2"});
    CHECK_THROWS_WITH(electrode_maps({"II", "V1"}), ContainsText("needs leads I and II"));
}

TEST_CASE("Leads that were scaled one by one are told by II - I - III", "[electrodes]") {
    const std::vector<std::string> leads{"I", "II", "III"};
    std::vector<float> signal{1, 2, 4, 0, 3, 5, 6, 1, 2, 3, 2, 1};
    CHECK(lead_inconsistency(signal, leads).value() == 0);
    for (std::size_t t = 0; t < 4; ++t) signal[t] *= 2;
    CHECK(lead_inconsistency(signal, leads).value() > kMostInconsistency);
    CHECK_FALSE(lead_inconsistency(std::vector<float>{1, 2}, {"I", "II"}));
}

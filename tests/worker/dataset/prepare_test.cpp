#include "worker/dataset/prepare.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/resample.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

/// 1 s of records at 100 Hz; leads I and V1 at 100 Hz unless changed.
JobSpec small_spec() {
    JobSpec spec;
    spec.data.window_s = 1;
    spec.data.leads = {"I", "V1"};
    spec.sampling_hz = 100;
    return spec;
}

RecordToWrite small_record(std::int64_t samples) {
    auto record = make_record(3, samples);
    record.sampling_hz = 100;
    record.leads = {"v1", "II", "MDC_ECG_LEAD_I"};
    record.gain = "1/uV";
    return record;
}

struct Prepared {
    std::vector<float> values;
    PrepareNotes notes;
};

Prepared prepared(const RecordToWrite& made, const JobSpec& spec) {
    const ScratchFolder folder;
    const auto record = read_wfdb_record(write_record(made, folder.path()));
    Prepared result;
    result.values.resize(spec.data.leads.size() * static_cast<std::size_t>(spec.window_samples()));
    result.notes = prepare_record(record, spec, result.values);
    return result;
}

}  // namespace

TEST_CASE("Leads are found by name and given in the order of the spec", "[prepare]") {
    const auto made = small_record(120);
    const auto result = prepared(made, small_spec());
    for (std::size_t t = 0; t < 100; ++t) {
        CHECK(result.values[t] == static_cast<float>(made.digital[2 * 120 + t]));
        CHECK(result.values[100 + t] == static_cast<float>(made.digital[t]));
    }
    CHECK_FALSE(result.notes.is_repaired());
}

TEST_CASE("A short record is padded with zeros before resampling, and that is counted", "[prepare]") {
    const auto made = small_record(80);
    auto spec = small_spec();
    CHECK(prepared(made, spec).notes.padded_samples == 20);
    CHECK(prepared(made, spec).values[99] == 0.0F);
    spec.sampling_hz = 50;
    const auto result = prepared(made, spec);
    std::vector<double> window(100, 0.0);
    std::copy_n(made.digital.begin(), 80, window.begin());
    std::vector<double> expected(50);
    resample_fourier(window, 1, 100, 50, expected);
    for (std::size_t t = 0; t < 50; ++t) CHECK(result.values[50 + t] == Approx(expected[t]).margin(1e-4));
}

TEST_CASE("The window is cut at the native rate before resampling", "[prepare]") {
    auto long_record = small_record(300);
    auto spec = small_spec();
    spec.sampling_hz = 30;
    auto cut = small_record(100);
    for (std::size_t lead = 0; lead < 3; ++lead)
        std::copy_n(long_record.digital.begin() + static_cast<std::ptrdiff_t>(lead * 300), 100,
                    cut.digital.begin() + static_cast<std::ptrdiff_t>(lead * 100));
    CHECK(prepared(long_record, spec).values == prepared(cut, spec).values);
}

TEST_CASE("zscore gives each lead mean 0 and standard deviation 1, and a constant lead 0", "[prepare]") {
    auto made = small_record(100);
    std::fill_n(made.digital.begin(), 100, std::int16_t{77});
    auto spec = small_spec();
    spec.data.normalize = "zscore";
    spec.sampling_hz = 40;
    const auto result = prepared(made, spec);
    const auto lead = std::span<const float>(result.values).first(40);
    const double mean = std::accumulate(lead.begin(), lead.end(), 0.0) / 40;
    double variance = 0;
    for (const float value : lead) variance += (value - mean) * (value - mean) / 40;
    CHECK(mean == Approx(0).margin(1e-6));
    CHECK(variance == Approx(1).epsilon(1e-5));
    CHECK(result.notes.constant_leads == 1);
    for (std::size_t t = 40; t < 80; ++t) CHECK(result.values[t] == 0.0F);
}

TEST_CASE("A constant lead keeps its value without zscore", "[prepare]") {
    auto made = small_record(100);
    std::fill_n(made.digital.begin(), 100, std::int16_t{77});
    auto spec = small_spec();
    spec.sampling_hz = 40;
    const auto result = prepared(made, spec);
    for (std::size_t t = 40; t < 80; ++t) CHECK(result.values[t] == Approx(77).epsilon(1e-6));
}

TEST_CASE("Repairs of samples and units are counted for the leads that are used", "[prepare]") {
    auto made = small_record(120);
    made.gain = "1000/NU";
    made.digital[3] = -32768;    // V1
    made.digital[110] = -32768;  // V1, after the window
    made.digital[130] = -32768;  // II, not used
    const auto result = prepared(made, small_spec());
    CHECK(result.notes.missing_samples == 1);
    CHECK(result.notes.is_unitless);
    CHECK(result.values[103] == Approx((made.digital[2] + made.digital[4]) / 2.0));
}

TEST_CASE("A lead that the record lacks is named with the record", "[prepare]") {
    auto spec = small_spec();
    spec.data.leads = {"I", "V6"};
    CHECK(
        has_all(input_error_of([&] { prepared(small_record(100), spec); }), {"A0001.hea", "V6", "missing", "v1, II"}));
    spec.data.leads = {"V7"};
    CHECK(has_all(input_error_of([&] { Preparer preparer(spec); }), {"data.leads", "'V7'"}));
    spec.data.leads = {};
    CHECK(has_all(input_error_of([&] { Preparer preparer(spec); }), {"data.leads", "none"}));
}

TEST_CASE("Limb leads that a record lacks are derived from I and II on request", "[prepare]") {
    auto made = make_record(2, 100);
    made.sampling_hz = 100;
    made.gain = "1/uV";
    auto spec = small_spec();
    spec.data.leads = {"aVF", "III", "I", "aVR", "aVL"};
    CHECK(has_all(input_error_of([&] { prepared(made, spec); }), {"aVF", "missing"}));
    spec.data.derive_leads = "limb";
    const auto result = prepared(made, spec);
    CHECK(result.notes.derived_leads == 4);
    for (std::size_t t = 0; t < 100; ++t) {
        const double one = made.digital[t];
        const double two = made.digital[100 + t];
        CHECK(result.values[t] == static_cast<float>(two - one / 2));
        CHECK(result.values[100 + t] == static_cast<float>(two - one));
        CHECK(result.values[200 + t] == static_cast<float>(one));
        CHECK(result.values[300 + t] == static_cast<float>(-(one + two) / 2));
        CHECK(result.values[400 + t] == static_cast<float>(one - two / 2));
    }
    spec.data.leads = {"V1"};
    CHECK(has_all(input_error_of([&] { prepared(made, spec); }), {"V1", "missing"}));
}

TEST_CASE("Masked samples are 0 in what the network sees, whatever the normalising", "[prepare]") {
    auto made = small_record(120);
    for (std::size_t t = 40; t < 60; ++t) made.digital[240 + t] = -32768;  // lead I
    auto spec = small_spec();
    spec.data.missing = "mask";
    for (const std::string normalize : {"none", "zscore"}) {
        spec.data.normalize = normalize;
        spec.sampling_hz = 100;
        const auto same_rate = prepared(made, spec);
        CHECK(same_rate.notes.missing_samples == 20);
        for (std::size_t t = 0; t < 100; ++t) CHECK((same_rate.values[t] == 0.0F) == (t >= 40 && t < 60));
        spec.sampling_hz = 50;
        const auto half_rate = prepared(made, spec);
        for (std::size_t t = 0; t < 50; ++t) CHECK((half_rate.values[t] == 0.0F) == (t >= 20 && t <= 30));
        for (std::size_t t = 50; t < 100; ++t) CHECK(half_rate.values[t] != 0.0F);
    }
}

TEST_CASE("The band-pass works on the record's samples, before what is missing at the end is filled", "[prepare]") {
    const auto made = small_record(80);
    auto spec = small_spec();
    spec.data.band_pass_hz = {1, 30};
    std::vector<double> expected(made.digital.begin() + 160, made.digital.begin() + 240);
    BandPass(1, 30, 100).apply(expected);
    const auto result = prepared(made, spec);
    for (std::size_t t = 0; t < 80; ++t) CHECK(result.values[t] == static_cast<float>(expected[t]));
    for (std::size_t t = 80; t < 100; ++t) CHECK(result.values[t] == 0.0F);
    spec.data.band_pass_hz = {1, 50};
    CHECK(has_all(input_error_of([&] { prepared(made, spec); }), {"A0001.hea", "50 Hz", "100 Hz", "twice"}));
}

TEST_CASE("The mistaken reshape gives channel l every L-th value of all leads", "[prepare]") {
    const auto made = small_record(100);
    auto spec = small_spec();
    const auto right = prepared(made, spec);
    spec.data.layout = "reshape";
    const auto mistaken = prepared(made, spec);
    for (std::size_t t = 0; t < 100; ++t) {
        CHECK(mistaken.values[t] == right.values[2 * t]);
        CHECK(mistaken.values[100 + t] == right.values[2 * t + 1]);
    }
}

TEST_CASE("Records prepared together are bit for bit those prepared alone", "[prepare]") {
    const ScratchFolder folder;
    auto spec = small_spec();
    spec.sampling_hz = 37;
    std::vector<WfdbRecord> records;
    for (const std::int64_t samples : {100, 90, 130, 100}) {
        auto made = small_record(samples);
        made.name = "r" + std::to_string(records.size());
        made.sampling_hz = records.size() == 2 ? 130 : 100;  // another rate in between
        records.push_back(read_wfdb_record(write_record(made, folder.path())));
    }
    std::vector<std::vector<float>> together(records.size(), std::vector<float>(2 * 37));
    Preparer preparer(spec);
    for (std::size_t i = 0; i < records.size(); ++i) preparer.add(records[i], together[i]);
    preparer.flush();
    for (std::size_t i = 0; i < records.size(); ++i) {
        std::vector<float> alone(2 * 37);
        prepare_record(records[i], spec, alone);
        CHECK(together[i] == alone);
    }
}

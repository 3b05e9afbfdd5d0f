#include "orchestrator/report/beat_map.hpp"

#include <cmath>
#include <limits>

#include "shared/arrays/safetensors.hpp"
#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

constexpr std::int64_t kMoments = 21;

JobRow row_of(std::int64_t fold, const std::string& align) {
    JobSpec spec;
    spec.fold = fold;
    spec.explain.align = align;
    return job_row(spec);
}

/// Classes AF and IAVB, leads II and V1; the first class has `records` records, of which none reaches moment 0.
ArrayFile beats(float signal, float importance, std::int32_t records, const std::string& unit = "uV") {
    const auto none = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> signals(2 * 2 * kMoments, none);
    std::vector<float> importances(signals);
    std::vector<std::int32_t> counts(2 * kMoments, 0);
    for (std::size_t m = 1; m < kMoments; ++m) {
        counts[m] = records;
        for (std::size_t lead = 0; lead < 2; ++lead) {
            signals[lead * kMoments + m] = signal * static_cast<float>(lead);
            importances[lead * kMoments + m] = importance * static_cast<float>(lead);
        }
    }
    ArrayFile file;
    file.arrays["beat_signal"] = NamedArray::of<float>(signals, {2, 2, kMoments});
    file.arrays["beat_importance"] = NamedArray::of<float>(importances, {2, 2, kMoments});
    file.arrays["beat_records"] = NamedArray::of<std::int32_t>(counts, {2, kMoments});
    file.metadata = {{"class_codes", "164889003;270492004"},
                     {"rows", "II;V1"},
                     {"beat_begin_s", "-0.1"},
                     {"beat_step_s", "0.01"},
                     {"beat_unit", unit}};
    return file;
}

void finish_with(ResultStore& store, const TemporaryFolder& folder, JobId job, const ArrayFile& file) {
    const AttemptId attempt = start(store, job);
    const std::string below = folder.file("work/key/" + std::to_string(attempt.value));
    std::filesystem::create_directories(below);
    save_arrays(file, below + "/lead_importance.safetensors");
    JobResult result;
    for (const char* lead : {"II", "V1"}) result.lead_importance.push_back({"164889003", lead, 0, 1, 1, 0, 10, 0.5});
    result.artifacts.push_back({"lead_importance", "lead_importance.safetensors", "", 0});
    store.record_finished(attempt, result, {2.5, 50});
}

}  // namespace

TEST_CASE("Mean beats are pooled over jobs by their records", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto jobs =
        store.upsert_jobs(store.register_sweep("s", "y", "h"), std::vector{row_of(0, "beats"), row_of(1, "beats")});
    finish_with(store, folder, jobs[0], beats(100, 1, 10));
    finish_with(store, folder, jobs[1], beats(500, 3, 30));
    const BeatMap map = beat_map(ReadStore::open(store.path()), folder.file("work"), {{}, {"AF"}});
    CHECK(map.leads == std::vector<std::string>{"II", "V1"});
    REQUIRE(map.time_s.size() == kMoments);
    CHECK(map.time_s[3] == Approx(-0.07));
    CHECK(map.signal[1][5] == Approx(400));
    CHECK(map.importance[1][5] == Approx(2.5));
    CHECK(map.records[5] == 40);
    CHECK(map.records[0] == 0);
    CHECK(std::isnan(map.signal[1][0]));
    const std::string text = render(as_table(map, false), TableFormat::kText);
    INFO(text);
    CHECK(holds(text, "AF along its mean beat"));
    CHECK(holds(text, "-100 ms  +0 ms"));
    const std::string csv = render(as_table(map, true), TableFormat::kCsv);
    CHECK(holds(csv, "time_ms,signal_uV,importance,records\r\n"));
    CHECK(holds(csv, "II,-100,,,0\r\n"));
    CHECK(holds(csv, "V1,-50,400,2.5,40\r\n"));
    const std::string picture = draw_beats(map);
    CHECK(holds(picture, "<svg xmlns"));
    CHECK(holds(picture, ">V1</text>"));
    CHECK_FALSE(holds(picture, "nan"));
}

TEST_CASE("Mean beats that cannot be had are refused, saying what would have them", "[report]") {
    const TemporaryFolder folder;
    ResultStore store = ResultStore::open(folder.file("a.sqlite"));
    const auto told = [&](const MapRequest& request) {
        return refusal([&] { beat_map(ReadStore::open(store.path()), folder.file("work"), request); });
    };
    const auto window = store.upsert_jobs(store.register_sweep("w", "y", "h"), std::vector{row_of(0, "window")});
    finish_with(store, folder, window[0], beats(100, 1, 10));
    CHECK(holds(told({{}, {"AF"}}), "mean beats need explain.align: beats"));
    const auto jobs =
        store.upsert_jobs(store.register_sweep("b", "y", "h"), std::vector{row_of(0, "beats"), row_of(1, "beats")});
    finish_with(store, folder, jobs[0], beats(100, 1, 10));
    CHECK(holds(told({{"b"}, {}}), "name it with --class"));
    finish_with(store, folder, jobs[1], beats(2, 1, 10, "sd"));
    CHECK(holds(told({{"b"}, {"AF"}}), "--where data.normalize="));
    const auto old = store.upsert_jobs(store.register_sweep("old", "y", "h"), std::vector{row_of(2, "beats")});
    ArrayFile without;
    without.metadata = {{"class_codes", "164889003"}, {"rows", "II;V1"}};
    finish_with(store, folder, old[0], without);
    CHECK(holds(told({{"old"}, {"AF"}}), "an earlier version explained this job"));
    const auto mixed = store.upsert_jobs(store.register_sweep("mixed", "y", "h"),
                                         std::vector{row_of(0, "beats"), row_of(0, "beat_time")});
    CHECK(holds(told({{"mixed"}, {"AF"}}), "--where explain.align="));
}

#include "worker/dataset/pack.hpp"

#include <algorithm>

#include "shared/core/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/prepare.hpp"
#include "worker/dataset/survey.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

JobSpec small_spec() {
    JobSpec spec;
    spec.data.window_s = 1;
    spec.sampling_hz = 50;
    return spec;
}

/// 300 generated records of 2 s at 100 Hz: two shards.
JobSpec synthetic_spec() {
    JobSpec spec = small_spec();
    spec.data.synthetic.patients = 300;
    spec.data.synthetic.records_per_patient = 1;
    spec.data.synthetic.duration_s = 2;
    spec.data.synthetic.sampling_hz = 100;
    return spec;
}

Catalogue synthetic_catalogue(const JobSpec& spec) {
    SurveyRequest request;
    request.synthetic = spec.data.synthetic;
    return {survey(request, nullptr)};
}

std::vector<float> row_of(const Pack& pack, std::int64_t row) {
    std::vector<float> values(static_cast<std::size_t>(pack.leads() * pack.samples()));
    pack.copy(row, values);
    return values;
}

}  // namespace

TEST_CASE("A pack gives back what was prepared", "[pack]") {
    const ScratchFolder folder;
    const auto spec = synthetic_spec();
    const auto catalogue = synthetic_catalogue(spec);
    REQUIRE(shard_count(300) == 2);
    std::int64_t calls = 0;
    CHECK_FALSE(write_shard(spec, catalogue, folder.path(), 0, [&](auto, auto) { ++calls; }).is_kept);
    CHECK(calls == 256);
    CHECK(has_all(input_error_of([&] {
                      try {
                          Pack::open(folder.path(), spec, 300);
                      } catch (const FileError& error) {
                          throw InputError(error.what());
                      }
                  }),
                  {"000001.shard"}));
    CHECK(write_shard(spec, catalogue, folder.path(), 1, nullptr).records == 44);
    const Pack pack = Pack::open(folder.path(), spec, 300);
    CHECK(pack.leads() == 12);
    CHECK(pack.samples() == 50);
    std::vector<float> expected(600);
    for (const std::int64_t index : {0, 255, 256, 299}) {
        prepare_record(make_synthetic_record(spec.data.synthetic, index), spec, expected);
        CHECK(row_of(pack, index) == expected);
    }
    CHECK_THROWS_AS(row_of(pack, 300), std::out_of_range);
    CHECK_THROWS_AS(write_shard(spec, catalogue, folder.path(), 2, nullptr), std::out_of_range);
}

TEST_CASE("A whole shard is kept; a torn or damaged one is noticed and made anew", "[pack]") {
    const ScratchFolder folder;
    const auto spec = synthetic_spec();
    const auto catalogue = synthetic_catalogue(spec);
    write_shard(spec, catalogue, folder.path(), 1, nullptr);
    CHECK(write_shard(spec, catalogue, folder.path(), 1, nullptr).is_kept);
    const auto path = shard_path(folder.path(), 1);
    const std::string whole = read_file(path);
    std::string damaged = whole;
    SECTION("torn") {
        damaged.resize(whole.size() - 4);
    }
    SECTION("empty") {
        damaged.clear();
    }
    SECTION("a flipped bit of the data") {
        damaged[whole.size() - 9] ^= 1;
    }
    SECTION("a flipped bit of the header") {
        damaged[100] ^= 1;
    }
    write_text(path, damaged);
    CHECK_FALSE(write_shard(spec, catalogue, folder.path(), 1, nullptr).is_kept);
    CHECK(read_file(path) == whole);
}

TEST_CASE("Opening refuses shards that are torn or of another preparation", "[pack]") {
    const ScratchFolder folder;
    auto spec = synthetic_spec();
    spec.data.synthetic.patients = 10;
    const auto catalogue = synthetic_catalogue(spec);
    write_shard(spec, catalogue, folder.path(), 0, nullptr);
    const auto path = shard_path(folder.path(), 0);
    auto other = spec;
    other.data.normalize = "zscore";
    CHECK(has_all(input_error_of([&] { Pack::open(folder.path(), other, 10); }),
                  {"preparation", "zscore", "another pack"}));
    CHECK(
        has_all(input_error_of([&] { Pack::open(folder.path(), spec, 11); }), {"records", "found 10", "expected 11"}));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    CHECK(has_all(input_error_of([&] { Pack::open(folder.path(), spec, 10); }), {"000000.shard", "torn"}));
    write_text(path,
               "something else that is long enough to be looked at, but is no shard of a pack at all, as one can see");
    CHECK(has_all(input_error_of([&] { Pack::open(folder.path(), spec, 10); }), {"000000.shard", "no shard"}));
}

TEST_CASE("Records that cannot be used are rows of zeros, repairs are counted", "[pack]") {
    const ScratchFolder folder;
    auto spec = small_spec();
    spec.data.records = (folder.path() / "records").string();
    spec.data.leads = {"I"};
    auto good = make_record(1, 400);
    good.name = "good";
    good.digital[5] = -32768;
    good.gain = "1000/NU";
    write_record(good, spec.data.records);
    auto bad = make_record(2, 400);
    bad.name = "bad";
    bad.checksum_error = 1;
    write_record(bad, spec.data.records);
    const Catalogue catalogue{survey({spec.data.records, {"good.hea", "bad.hea"}, {}}, nullptr)};
    const auto report = write_shard(spec, catalogue, folder.path() / "pack", 0, nullptr);
    CHECK(report.padded_records == 1);
    CHECK(report.missing_samples == 1);
    CHECK(report.unitless_records == 1);
    const Pack pack = Pack::open(folder.path() / "pack", spec, 2);
    CHECK(report.zero_records == 1);
    const auto bad_row = row_of(pack, 0);
    const auto good_row = row_of(pack, 1);
    CHECK(std::all_of(bad_row.begin(), bad_row.end(), [](float value) { return value == 0.0F; }));
    CHECK(std::any_of(good_row.begin(), good_row.end(), [](float value) { return value != 0.0F; }));
    // What was done to the records stands in the shard itself.
    const std::string shard = read_file(shard_path(folder.path() / "pack", 0));
    CHECK(has_all(shard.substr(0, 4096),
                  {"\"missing_samples\":1", "\"unitless_records\":1", "\"data.missing\":\"interpolate\""}));
}

TEST_CASE("A record that has changed since the survey is refused, and no shard is left", "[pack]") {
    const ScratchFolder folder;
    auto spec = small_spec();
    spec.data.records = (folder.path() / "records").string();
    auto made = make_record(12, 500);
    write_record(made, spec.data.records);
    const Catalogue catalogue{survey({spec.data.records, {"A0001.hea"}, {}}, nullptr)};
    made = make_record(12, 501);
    write_record(made, spec.data.records);
    CHECK(has_all(input_error_of([&] { write_shard(spec, catalogue, folder.path() / "pack", 0, nullptr); }),
                  {"A0001.hea", "has changed", "survey"}));
    CHECK_FALSE(std::filesystem::exists(shard_path(folder.path() / "pack", 0)));
}

TEST_CASE("What the progress callback throws ends the writing and leaves nothing", "[pack]") {
    const ScratchFolder folder;
    const auto spec = synthetic_spec();
    const auto catalogue = synthetic_catalogue(spec);
    const auto stop = [](std::int64_t done, std::int64_t) {
        if (done == 3) throw JobError(FailureClass::kCancelled, "stop");
    };
    CHECK_THROWS_AS(write_shard(spec, catalogue, folder.path() / "pack", 1, stop), JobError);
    CHECK_FALSE(std::filesystem::exists(folder.path() / "pack"));
}

#include "worker/dataset/windows.hpp"

#include <cmath>
#include <limits>

#include "tests/support/catch.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/prepare.hpp"
#include "worker/dataset/survey.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

/// Records of 1, 2.5 and 0.6 s at 100 Hz; windows of 1 s, half a second apart.
struct Records {
    ScratchFolder folder;
    JobSpec spec;
    Catalogue catalogue;

    explicit Records(const std::string& pack_type = "float32") {
        spec.data.records = (folder.path() / "records").string();
        spec.data.window_s = 1;
        spec.data.windows = "strided";
        spec.data.stride_s = 0.5;
        spec.data.leads = {"I", "II"};
        spec.data.pack_type = pack_type;
        spec.sampling_hz = 100;
        SurveyRequest request{spec.data.records, {}, {}};
        for (const std::int64_t samples : {100, 250, 60}) {
            auto made = make_record(2, samples);
            made.name = "r" + std::to_string(request.headers.size());
            made.sampling_hz = 100;
            made.gain = "1/uV";
            write_record(made, spec.data.records);
            request.headers.push_back(made.name + ".hea");
        }
        catalogue.records = survey(request, nullptr);
        write_shard(spec, catalogue, folder.path() / "pack", 0, nullptr);
    }
    Pack pack() const { return Pack::open(folder.path() / "pack", spec, 3); }
};

}  // namespace

TEST_CASE("A record has as many windows as begin a stride apart and lie within it", "[windows]") {
    DataSpec data;
    data.window_s = 10;
    data.windows = "strided";
    data.stride_s = 10;
    CHECK(window_count(data, 500, 5000) == 1);
    CHECK(window_count(data, 500, 9999) == 1);
    CHECK(window_count(data, 500, 10000) == 2);
    CHECK(window_count(data, 500, 100) == 1);
    CHECK(window_count(data, 257, 462600) == 180);  // half an hour
    data.stride_s = 5;
    CHECK(window_count(data, 500, 10000) == 3);
    data.windows = "first";
    CHECK(window_count(data, 500, 10000) == 1);
}

TEST_CASE("A pack of strided windows has a row for each, in the order of the records", "[windows][pack]") {
    const Records made;
    const Pack pack = made.pack();
    CHECK(pack.records() == 3);
    CHECK(pack.rows() == 1 + 4 + 1);
    CHECK(pack.first_row(2) == 5);
    std::vector<float> row(200);
    const auto record = make_record(2, 250);
    for (std::int64_t window = 0; window < 4; ++window) {
        pack.copy(1 + window, row);
        for (std::size_t t = 0; t < 100; ++t) {
            const std::size_t place = static_cast<std::size_t>(window) * 50 + t;
            CHECK(row[t] == static_cast<float>(record.digital[place]));
            CHECK(row[100 + t] == static_cast<float>(record.digital[250 + place]));
        }
    }
    CHECK_THROWS_AS(pack.copy(6, row), std::out_of_range);
    FoldLists lists;
    lists.record_count = 3;
    lists.class_count = 2;
    lists.labels = {1, 0, 0, 1, 1, 1};
    lists.train = {1};
    lists.test = {2, 0};
    const FoldLists rows = rows_of(lists, pack);
    CHECK(rows.train == std::vector<std::int32_t>{1, 2, 3, 4});
    CHECK(rows.test == std::vector<std::int32_t>{5, 0});
    CHECK(rows.record_count == 6);
    CHECK(rows.labels == std::vector<std::uint8_t>{1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1});
    CHECK(window_counts({1, 0}, pack) == std::vector<std::int64_t>{4, 1});
}

TEST_CASE("Packs of 16 bits differ by less than they promise", "[windows][pack]") {
    const Records exact;
    std::vector<float> expected(200);
    std::vector<float> found(200);
    for (const std::string type : {"int16", "float16"}) {
        CAPTURE(type);
        const Records coarse(type);
        for (std::int64_t row = 0; row < 6; ++row) {
            exact.pack().copy(row, expected);
            coarse.pack().copy(row, found);
            for (std::size_t lead = 0; lead < 2; ++lead) {
                float largest = 0;
                for (std::size_t t = 0; t < 100; ++t) largest = std::max(largest, std::abs(expected[lead * 100 + t]));
                for (std::size_t t = 0; t < 100; ++t) {
                    const float value = expected[lead * 100 + t];
                    const float allowed =
                        type == "int16" ? largest / 65534 * 1.01F : std::abs(value) / 2048 + largest * 0x1p-25F;
                    CHECK(std::abs(found[lead * 100 + t] - value) <= allowed);
                }
            }
        }
        const auto size = [](const Records& made) {
            return std::filesystem::file_size(shard_path(made.folder.path() / "pack", 0));
        };
        CHECK(size(exact) - size(coarse) == 6 * (200 * 4 - (2 * 4 + 200 * 2)));
    }
}

TEST_CASE("Probabilities of windows are pooled into those of their record", "[windows]") {
    const std::vector<std::int64_t> windows = {2, 1};
    const auto logit = [](double p) { return static_cast<float>(std::log(p / (1 - p))); };
    const std::vector<float> logits = {logit(0.2), logit(0.9), logit(0.6), logit(0.9), logit(0.3), -40};
    const auto mean = pool_windows(logits, 2, windows, "mean");
    CHECK(mean[0] == Approx(logit(0.4)).epsilon(1e-6));
    CHECK(mean[1] == Approx(logit(0.9)).epsilon(1e-6));
    CHECK(mean[2] == logits[4]);
    CHECK(mean[3] == -40);
    CHECK(pool_windows(logits, 2, windows, "max")[0] == logits[2]);
    CHECK(pool_labels(std::vector<std::uint8_t>{1, 0, 1, 0, 0, 1}, 2, windows) ==
          std::vector<std::uint8_t>{1, 0, 0, 1});
    // Saturated windows keep their order: the mean of probabilities near 1 is told by their complements.
    const auto sure = pool_windows(std::vector<float>{30, 50}, 1, std::vector<std::int64_t>{2}, "mean");
    CHECK(sure[0] == Approx(30 + std::log(2.0)).epsilon(1e-6));
    CHECK_THROWS_AS(pool_windows(logits, 2, std::vector<std::int64_t>{2}, "mean"), std::invalid_argument);
}

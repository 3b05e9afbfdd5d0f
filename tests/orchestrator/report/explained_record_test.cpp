#include "orchestrator/report/explained_record.hpp"

#include "tests/orchestrator/store/sample_store.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::testing;

namespace {

/// Two leads of 2 s at 100 Hz, seen at 50 Hz, in two segments.
ExplainedRecord explained(const nlohmann::json& r2) {
    std::vector<int> segments(100, 0);
    std::fill(segments.begin() + 50, segments.end(), 1);
    const std::vector<float> flat(200, 0.0F);
    return {
        "A<1>",
        "AF",
        0.875,
        0.25,
        "7 (fold 2)",
        {{"rows", {"II", "V1"}},
         {"coefficients", {{0.5, -2.0}, {0.0, 1.25}}},
         {"segment_of_sample", segments},
         {"sampling_hz", 50},
         {"r2", r2},
         {"min_r2", 0.1},
         {"align", "window"},
         {"method", "lime"},
         {"target", "logit"},
         {"window_s", 2},
         {"faithfulness", {{"deletion", 2.5}, {"deletion_random", 0.5}, {"insertion", 3.5}, {"insertion_random", 1.5}}},
         {"notes", "3 constant leads"},
         {"signal_uv", {flat, flat}},
         {"signal_hz", 100},
         {"is_unitless", false}}};
}

}  // namespace

TEST_CASE("An explained record is a table of leads and parts, with what tells whether to believe it", "[report]") {
    const std::string text = render(as_table(explained(0.62)), TableFormat::kText);
    CHECK(text ==
          "A<1>: AF, probability 0.875 (threshold 0.250); network of job 7 (fold 2), 50 Hz\n"
          "\n"
          "lead  0-1 s  1-2 s    sum\n"
          "────  ─────  ─────  ─────\n"
          "II    +0.50  -2.00  -1.50\n"
          "V1    +0.00  +1.25  +1.25\n"
          "\n"
          "lime on the logit; signed, positive speaks for the class. R2 = 0.62.\n"
          "Faithfulness: masked by importance the logit falls by 2.50 on average (in random order 0.50); put back by "
          "importance it rises by 3.50 (in random order 1.50).\n"
          "The record: 3 constant leads.\n");
    CHECK(holds(render(as_table(explained(0.05)), TableFormat::kText), "NOT TO BE BELIEVED"));
    CHECK(holds(render(as_table(explained(nullptr)), TableFormat::kText), "lime on the logit; signed"));
}

TEST_CASE("An explained record is drawn with its parts coloured, and the sum of each strip at its end", "[report]") {
    const std::string picture = draw_explained(explained(0.62));
    CHECK(holds(picture, "font-weight=\"bold\">A&lt;1&gt;: AF, probability"));
    CHECK(holds(picture, "recorded at 100 Hz, seen at 50 Hz"));
    CHECK(holds(picture, "fill=\"#2166ac\" fill-opacity=\"0.80\""));  // the strongest, against
    CHECK(holds(picture, "fill=\"#d95f02\" fill-opacity=\"0.50\""));  // 1.25 of 2
    CHECK(holds(picture, ">-2.00</text>"));
    CHECK(holds(picture, ">-1.50</text>"));
    CHECK(holds(picture, "speaks for"));
}

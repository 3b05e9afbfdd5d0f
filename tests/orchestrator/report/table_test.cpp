#include "orchestrator/report/table.hpp"

#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

Table sample() {
    Table table;
    table.caption = "A caption";
    table.columns = {{"loss"}, {"macro_f1", Alignment::kRight, {"mean", "n"}}};
    table.rows = {{cell_of("bce"), {"0.412 ± 0.010", {0.4120000000000001, std::int64_t{10}}, true}},
                  {cell_of("a|b, \"c\""), {"-", {CellValue(), std::int64_t{0}}}},
                  {cell_of("none"), {}}};
    table.notes = {"A note."};
    return table;
}

}  // namespace

TEST_CASE("Text is aligned by shown width and marks the best", "[report]") {
    CHECK(render(sample(), TableFormat::kText) ==
          "A caption\n"
          "\n"
          "loss            macro_f1\n"
          "────────  ──────────────\n"
          "bce       0.412 ± 0.010*\n"
          "a|b, \"c\"              -\n"
          "none\n"
          "\n"
          "A note.\n");
}

TEST_CASE("Markdown escapes what would break it and bolds the best", "[report]") {
    CHECK(render(sample(), TableFormat::kMarkdown) ==
          "A caption\n"
          "\n"
          "| loss | macro\\_f1 |\n"
          "| --- | ---: |\n"
          "| bce | **0.412 ± 0.010** |\n"
          "| a\\|b, \"c\" | - |\n"
          "| none |  |\n"
          "\n"
          "A note.\n");
}

TEST_CASE("CSV quotes what must be quoted and keeps every digit", "[report]") {
    CHECK(render(sample(), TableFormat::kCsv) ==
          "loss,macro_f1 mean,macro_f1 n\r\n"
          "bce,0.4120000000000001,10\r\n"
          "\"a|b, \"\"c\"\"\",,0\r\n"
          "none,,\r\n");
}

TEST_CASE("JSON has an object a row", "[report]") {
    const auto json = nlohmann::json::parse(render(sample(), TableFormat::kJson));
    CHECK(json.at("rows").at(0).at("macro_f1") ==
          nlohmann::json{{"mean", 0.4120000000000001}, {"n", 10}, {"is_best", true}});
    CHECK(json.at("rows").at(1).at("macro_f1").at("mean").is_null());
    CHECK(json.at("rows").at(2).at("macro_f1").is_null());
    CHECK(json.at("notes") == nlohmann::json{"A note."});
}

TEST_CASE("An unknown format is refused by name", "[report]") {
    CHECK(table_format_from("md") == TableFormat::kMarkdown);
    CHECK_THROWS_AS(table_format_from("xlsx"), InputError);
}

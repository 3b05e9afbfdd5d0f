// What is told and drawn of records.
#include <algorithm>
#include <cmath>

#include "orchestrator/report/ecg_paper.hpp"
#include "orchestrator/report/record_inventory.hpp"
#include "shared/core/errors.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;

namespace {

CatalogueRecord record(const std::string& path, const std::string& source, const std::string& digest) {
    CatalogueRecord made;
    made.path = path;
    made.source = source;
    made.sampling_hz = 500;
    made.samples = 5000;
    made.leads = {"I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"};
    made.labels = {"426783006"};
    made.signal_digest = digest;
    return made;
}

DrawnRecord drawn(std::size_t leads, double seconds) {
    DrawnRecord made{"a<b", "500 Hz & more", 500, false, {}};
    for (std::size_t i = 0; i < leads; ++i) {
        DrawnLead lead{"L" + std::to_string(i), {}};
        for (std::size_t t = 0; t < static_cast<std::size_t>(seconds * 500); ++t)
            lead.amplitude_uv.push_back(static_cast<float>(1000 * std::sin(static_cast<double>(t) / 100)));
        made.leads.push_back(std::move(lead));
    }
    return made;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("The inventory tells sources, leads, codes, duplicates and what is odd", "[data]") {
    Catalogue catalogue;
    catalogue.records = {record("a/1", "a", "x"), record("a/2", "a", "y"), record("b/1", "b", "x"),
                         record("b/2", "b", "z")};
    catalogue.records[1].labels = {"426783006", "164865005"};
    catalogue.records[1].words = {"NORM"};
    catalogue.records[1].leads = {"II", "vx", "I"};
    catalogue.records[1].saturated_leads = 1;
    catalogue.records[1].repairs = {"saturated leads: II"};
    catalogue.records[2].age_years = 60;
    catalogue.records[2].sex = "female";
    catalogue.records[3].problem = "b/2.hea: no record line";
    const std::string text = render_inventory(catalogue, 10);
    for (const char* part :
         {"3 of 4 records read", "NSR 2, and 1 unscored codes", "Codes of no scored class: 164865005 1",
          "Words that are no codes: NORM 1", "2 records: all twelve", "1 records: I, II and vx",
          "1 records tell an age, 1 say female, 0 male", "1 signals are there more than once", "a/1 = b/1",
          "a/2: saturated leads: II", "cannot be read: b/2: b/2.hea: no record line"})
        CHECK_THAT(text, ContainsText(part));
    catalogue.records[0].constant_leads = catalogue.records[1].constant_leads = 1;
    CHECK_THAT(render_inventory(catalogue, 1), ContainsText("... and 1 more (--all lists them)"));
}

TEST_CASE("A record is drawn to scale: 25 mm a second, 10 mm a millivolt", "[data]") {
    const std::string svg = draw_ecg_paper(drawn(12, 10), 0, 10);
    CHECK(count(svg, "<polyline") == 12);
    CHECK(count(svg, "</text>") == 14);
    CHECK_THAT(svg, ContainsText("a&lt;b") && ContainsText("500 Hz &amp; more") && ContainsText("10 mm/mV"));
    // 15 mm for name and pulse, 250 mm of signal, 5 mm at the end, 5 mm of margin on both sides.
    CHECK_THAT(svg, ContainsText("width=\"280mm\""));
    // The last sample lies 250 mm - 1 sample after the first.
    CHECK_THAT(svg, ContainsText("15.00,") && ContainsText("264.95,"));
    CHECK(svg.find("nan") == std::string::npos);
}

TEST_CASE("A stretch beyond the record is refused, one over its end is cut", "[data]") {
    CHECK_THROWS_AS(draw_ecg_paper(drawn(2, 3), 3, 10), InputError);
    CHECK_THROWS_AS(draw_ecg_paper(DrawnRecord{"x", "", 500, false, {}}, 0, 10), InputError);
    CHECK_THAT(draw_ecg_paper(drawn(2, 3), 2, 10), ContainsText("from 2 s") && ContainsText("39.95,"));
}

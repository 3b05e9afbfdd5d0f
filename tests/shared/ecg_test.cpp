#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/catalogue.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace leadsweep;

namespace {

std::filesystem::path challenge_tables() {
    const char* named = std::getenv("LEADSWEEP_ECG");
    const auto records =
        named ? std::filesystem::path(named) : std::filesystem::path(LEADSWEEP_SOURCE_DIR) / "../shared/ecg";
    return records / "challenge2021";
}

CatalogueRecord some_record(const std::string& path) {
    CatalogueRecord record;
    record.path = path;
    record.files = {{path + ".hea", 500, 1'600'000'000'000'000'001LL}};
    record.source = "georgia";
    record.sampling_hz = 500;
    record.samples = 5000;
    record.leads = {"I", "II"};
    record.labels = {"426783006", "164889003"};
    record.patient = "p1";
    record.signal_digest = "abc";
    record.missing_samples = 2;
    record.constant_leads = 1;
    record.repairs = {"2 missing samples: interpolated"};
    return record;
}

/// A file below the build folder that is removed at the end of the scope.
struct ScratchFile {
    TemporaryFolder folder;
    std::string path = folder / "catalogue.jsonl";
};

std::string problem_of(const std::string& content) {
    const ScratchFile file;
    write_file_durably(file.path, content);
    try {
        load_catalogue(file.path);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("Leads are found in any case and with the usual prefixes", "[ecg]") {
    CHECK(find_lead("aVR") == 3);
    CHECK(find_lead("AVR") == 3);
    CHECK(find_lead(" v6 ") == 11);
    CHECK(find_lead("MDC_ECG_LEAD_III") == 2);
    CHECK(find_lead("Lead V1") == 6);
    CHECK_FALSE(find_lead("V7"));
    CHECK_FALSE(find_lead("MLII"));
    CHECK_FALSE(find_lead(""));
    for (std::size_t i = 0; i < kLeadCount; ++i) CHECK(find_lead(kLeadNames[i]) == i);
}

TEST_CASE("The challenge's classes and groups are those of its tables", "[ecg][real]") {
    if (!std::filesystem::exists(challenge_tables())) LEADSWEEP_SKIP("no challenge tables at " << challenge_tables());
    const auto& set = label_set("challenge2021");
    std::ifstream mapping(challenge_tables() / "dx_mapping_scored.csv");
    read_csv_row(mapping);
    std::set<std::string> expected;
    while (const auto row = read_csv_row(mapping)) {
        CAPTURE(row->at(1));
        expected.insert(row->at(1));
        const auto index = set.find(row->at(1));
        REQUIRE(index);
        CHECK(set.classes[*index].abbreviation == row->at(2));
    }
    CHECK(expected.size() == 30);
    CHECK(set.classes.size() == 30);
    CHECK(std::is_sorted(set.classes.begin(), set.classes.end(),
                         [](const auto& a, const auto& b) { return a.code < b.code; }));

    std::ifstream weights(challenge_tables() / "weights.csv");
    auto columns = *read_csv_row(weights);
    columns.erase(columns.begin());
    std::set<std::string> groups;
    for (std::size_t group = 0; group < set.groups.size(); ++group) groups.insert(set.group_code(group));
    CHECK(groups == std::set<std::string>(columns.begin(), columns.end()));
    CHECK(set.groups.size() == 26);
}

TEST_CASE("The label set of generated records adds one class for each lead that can carry a sign", "[ecg]") {
    const auto& set = label_set("synthetic");
    CHECK(set.classes.size() == 38);
    CHECK(set.groups.size() == 34);
    CHECK(set.find("planted-V2"));
    CHECK_FALSE(set.find("planted-aVL"));
    CHECK_FALSE(label_set("challenge2021").find("planted-V2"));
    std::vector<int> seen(set.classes.size(), 0);
    for (const auto& group : set.groups)
        for (const std::size_t index : group) ++seen[index];
    CHECK(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
    CHECK_THROWS_AS(label_set("challenge2020"), InputError);
}

TEST_CASE("A catalogue survives the way through its file, bytes that are no UTF-8 too", "[ecg]") {
    const ScratchFile file;
    Catalogue catalogue{{some_record("georgia/E1"), some_record("georgia/E2")}};
    catalogue.records[1].problem = "found '\xFF'";
    save_catalogue(catalogue, file.path);
    const auto loaded = load_catalogue(file.path);
    REQUIRE(loaded.records.size() == 2);
    CHECK(to_json(loaded.records[0]) == to_json(catalogue.records[0]));
    CHECK(loaded.records[0].is_usable());
    CHECK(loaded.records[1].problem == "found '\xEF\xBF\xBD'");
}

TEST_CASE("A torn catalogue, one of another version and one that is none are refused", "[ecg]") {
    const std::string record = to_json(some_record("a")).dump() + "\n";
    CHECK(problem_of("{\"catalogue\": 2, \"records\": 1}\n" + record).empty());
    CHECK(problem_of("{\"catalogue\": 2, \"records\": 2}\n" + record).find("torn") != std::string::npos);
    CHECK(problem_of("").find("torn") != std::string::npos);
    CHECK(problem_of("{\"catalogue\": 3, \"records\": 1}\n" + record).find("another version") != std::string::npos);
    CHECK(problem_of("{\"catalogue\": 2, \"records\": 1}\n{\"path\": 3}\n").find(":2: no catalogue") !=
          std::string::npos);
}

TEST_CASE("The data digest follows signals, labels and patients, not places, times or order of labels", "[ecg]") {
    const Catalogue base{{some_record("a"), some_record("b")}};
    const auto changed = [&](auto&& change) {
        Catalogue copy = base;
        change(copy.records[1]);
        return digest_of(copy) != digest_of(base);
    };
    CHECK_FALSE(changed([](CatalogueRecord& r) { r.files[0].modified_ns = 7; }));
    CHECK_FALSE(changed([](CatalogueRecord& r) { std::reverse(r.labels.begin(), r.labels.end()); }));
    CHECK(changed([](CatalogueRecord& r) { r.labels.pop_back(); }));
    CHECK(changed([](CatalogueRecord& r) { r.patient = "p2"; }));
    CHECK(changed([](CatalogueRecord& r) { r.signal_digest = "abd"; }));
    CHECK(changed([](CatalogueRecord& r) { r.path = "c"; }));
    CHECK(changed([](CatalogueRecord& r) { r.problem = "unreadable"; }));
}

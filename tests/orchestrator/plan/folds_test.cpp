#include "orchestrator/plan/folds.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "tests/orchestrator/plan/plan_support.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

const LabelSet& classes() {
    return label_set("challenge2021");
}

/// Patients with one to four records; classes from frequent to rare, some records with two.
Catalogue made_catalogue(std::size_t patients, unsigned seed) {
    std::mt19937 random(seed);
    Catalogue catalogue;
    for (std::size_t p = 0; p < patients; ++p) {
        const std::size_t records = 1 + random() % 4;
        const std::size_t main_class = static_cast<std::size_t>(
            std::min<double>(29.0, -std::log((static_cast<double>(random() % 1000) + 1) / 1001.0) * 5));
        for (std::size_t r = 0; r < records; ++r) {
            std::vector<std::string> labels{classes().classes[main_class].code};
            if (random() % 4 == 0) labels.push_back(classes().classes[random() % 10].code);
            catalogue.records.push_back(
                made_record("r" + std::to_string(10000 + 10 * p + r), labels, "p" + std::to_string(p)));
        }
    }
    return catalogue;
}

/// Largest distance, over folds and classes, of a fold's share of the class's positives from 1/k.
double worst_share(const Catalogue& catalogue, const std::vector<int>& folds, std::size_t k) {
    const auto labels = label_matrix(catalogue, classes());
    const std::size_t class_count = classes().classes.size();
    double worst = 0;
    for (std::size_t c = 0; c < class_count; ++c) {
        std::vector<double> positives(k, 0);
        for (std::size_t n = 0; n < folds.size(); ++n)
            positives[static_cast<std::size_t>(folds[n])] += labels[n * class_count + c];
        double total = 0;
        for (const double p : positives) total += p;
        if (total < 10 * static_cast<double>(k)) continue;
        for (const double p : positives) worst = std::max(worst, std::abs(p / total - 1.0 / static_cast<double>(k)));
    }
    return worst;
}

FoldsSpec folds_spec(std::int64_t k, const std::string& assign = "stratified", std::int64_t seed = 42) {
    FoldsSpec spec;
    spec.k = k;
    spec.assign = assign;
    spec.seed = seed;
    return spec;
}

DataSpec leads_of(std::vector<std::string> leads) {
    DataSpec data;
    data.leads = std::move(leads);
    return data;
}

/// The table of tests/reference/folds/make_references.py, published_table(): [rows, 30].
std::vector<std::uint8_t> published_table(std::uint64_t rows) {
    constexpr std::array<std::uint64_t, 30> kPublished = {1481, 1907, 5255, 8374, 1281,  2076, 11716, 392,  659,  1599,
                                                          3534, 3041, 638,  7631, 18918, 295,  28971, 9657, 1279, 3790,
                                                          2186, 1280, 3051, 3989, 224,   522,  1768,  1857, 1779, 213};
    constexpr std::uint64_t kRecords = 88253;
    std::vector<std::uint8_t> labels(rows * 30, 0);
    std::uint64_t state = 12345;
    for (std::size_t c = 0; c < 30; ++c)
        for (std::uint64_t i = 0; i < (kPublished[c] * rows + kRecords - 1) / kRecords; ++i) {
            state = (1103515245 * state + 12345) % (std::uint64_t{1} << 31U);
            std::uint64_t row = state % rows;
            while (labels[row * 30 + c] != 0) row = (row + 1) % rows;
            labels[row * 30 + c] = 1;
        }
    return labels;
}

/// A catalogue of these labels: every record a group of its own, those without a label with an unscored code.
Catalogue catalogue_of(const std::vector<std::uint8_t>& labels) {
    Catalogue catalogue;
    for (std::size_t n = 0; n < labels.size() / 30; ++n) {
        std::vector<std::string> codes;
        for (std::size_t c = 0; c < 30; ++c)
            if (labels[n * 30 + c] != 0) codes.push_back(classes().classes[c].code);
        if (codes.empty()) codes.emplace_back("164865005");
        catalogue.records.push_back(made_record(fmt::format("r{:06}", n), codes));
    }
    return catalogue;
}

JobSpec job_of(std::int64_t fold, const FoldsSpec& folds) {
    JobSpec spec;
    spec.fold = fold;
    spec.folds = folds;
    return spec;
}

}  // namespace

TEST_CASE("study folds are scikit-learn's, record by record", "[folds]") {
    const auto reference = nlohmann::json::parse(
        read_file(std::string(LEADSWEEP_SOURCE_DIR) + "/tests/reference/folds/stratified_k_fold.json"));
    REQUIRE(reference.at("cases").size() >= 4);
    for (const auto& c : reference.at("cases")) {
        INFO(c.at("name").get<std::string>());
        CHECK(study_folds(c.at("combinations").get<std::vector<std::string>>(), c.at("k"), c.at("seed")) ==
              c.at("folds").get<std::vector<int>>());
    }
}

TEST_CASE(
    "study folds of tables with the published counts are scikit-learn's; stratified ones beat random and their peer",
    "[folds][reference]") {
    const auto reference = nlohmann::json::parse(
        read_file(std::string(LEADSWEEP_SOURCE_DIR) + "/tests/reference/folds/published_counts.json"));
    for (const auto& c : reference) {
        const auto rows = c.at("rows").get<std::uint64_t>();
        CAPTURE(rows);
        const Catalogue catalogue = catalogue_of(published_table(rows));
        const FoldAssignment study = assign_folds(catalogue, classes(), folds_spec(10, "study"));
        const std::vector<std::int8_t> bytes(study.folds.begin(), study.folds.end());
        CHECK(sha256(std::as_bytes(std::span(bytes))) == c.at("folds_sha256").get<std::string>());
        const auto first = c.at("first_folds").get<std::vector<int>>();
        CHECK(std::equal(first.begin(), first.end(), study.folds.begin()));
        const FoldReport report = assign_folds(catalogue, classes(), folds_spec(10)).report;
        std::cout << rows << " records: worst class deviation " << report.deviation.share << " ("
                  << report.deviation.class_abbreviation << "), at random " << report.random_deviation.share
                  << ", iterative-stratification " << c.at("peer_worst_deviation").get<double>() << ", study "
                  << study.report.deviation.share << "\n";
        CHECK(report.deviation.share < report.random_deviation.share);
        CHECK(report.deviation.share <= c.at("peer_worst_deviation").get<double>() + 1e-12);
    }
}

TEST_CASE("study refuses more folds than any combination has members", "[folds]") {
    CHECK_THROWS_AS(study_folds({"01", "10", "01"}, 3, 42), InputError);
    CHECK_NOTHROW(study_folds({"01", "10", "01", "01"}, 3, 42));
}

TEST_CASE("Groups join patients and equal signals, also in a chain", "[folds]") {
    Catalogue catalogue;
    catalogue.records = {made_record("a", {"1"}, "p1"), made_record("b", {"1"}, "p2"), made_record("c", {"1"}, "p2"),
                         made_record("d", {"1"}),       made_record("e", {"1"}),       made_record("f", {"1"})};
    catalogue.records[1].signal_digest = catalogue.records[0].signal_digest;
    catalogue.records[5].signal_digest = catalogue.records[3].signal_digest;
    CHECK(record_groups(catalogue) == std::vector<std::size_t>{0, 0, 0, 1, 2, 1});
    catalogue.records[3].signal_digest.clear();
    catalogue.records[4].signal_digest.clear();
    CHECK(record_groups(catalogue) == std::vector<std::size_t>{0, 0, 0, 1, 2, 3});
}

TEST_CASE("A record that is left out still joins the groups of its patient and its signal", "[folds]") {
    Catalogue catalogue;
    catalogue.records = {made_record("a", {"1"}, "p1"), made_record("b", {}, "p1"), made_record("c", {"1"})};
    catalogue.records[1].signal_digest = catalogue.records[2].signal_digest;
    CHECK(record_groups(catalogue) == std::vector<std::size_t>{0, 0, 0});
}

TEST_CASE("stratified folds never split a group and leave no fold empty", "[folds]") {
    const std::int64_t k = GENERATE(2, 3, 5, 10);
    const std::int64_t seed = GENERATE(0, 42);
    const Catalogue catalogue = made_catalogue(200, 5);
    const FoldAssignment made = assign_folds(catalogue, classes(), folds_spec(k, "stratified", seed));
    std::map<std::string, std::set<int>> folds_of_patient;
    for (std::size_t n = 0; n < made.folds.size(); ++n)
        folds_of_patient[catalogue.records[n].patient].insert(made.folds[n]);
    for (const auto& [patient, folds] : folds_of_patient) CHECK(folds.size() == 1);
    CHECK(made.report.split_groups == 0);
    CHECK(made.report.groups == 200);
    std::size_t records = 0;
    for (const auto& fold : made.report.folds) {
        CHECK(fold.records > 0);
        records += fold.records;
    }
    CHECK(records == catalogue.records.size());
}

TEST_CASE("stratified folds spread classes better than random folds of groups", "[folds]") {
    const Catalogue catalogue = made_catalogue(600, 11);
    const std::size_t k = 5;
    const auto stratified = assign_folds(catalogue, classes(), folds_spec(5)).folds;
    const auto groups = record_groups(catalogue);
    double best_random = 1;
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        std::vector<int> fold_of_group(groups.size());
        for (int& fold : fold_of_group) fold = static_cast<int>(random() % k);
        std::vector<int> folds;
        for (const std::size_t group : groups) folds.push_back(fold_of_group[group]);
        best_random = std::min(best_random, worst_share(catalogue, folds, k));
    }
    const double worst = worst_share(catalogue, stratified, k);
    INFO("stratified " << worst << ", best of 20 random " << best_random);
    CHECK(worst < best_random / 2);
}

TEST_CASE("Single records without a second label are spread evenly to one record", "[folds]") {
    std::vector<std::uint8_t> labels;  // 30 of class 0, 12 of class 1, 9 of none
    std::vector<std::size_t> groups;
    for (std::size_t n = 0; n < 51; ++n) {
        labels.push_back(n < 30 ? 1 : 0);
        labels.push_back(n >= 30 && n < 42 ? 1 : 0);
        groups.push_back(n);
    }
    const auto folds = stratify_groups(labels, 2, groups, 3, 1);
    std::array<std::array<int, 3>, 3> count{};
    for (std::size_t n = 0; n < 51; ++n) ++count[n < 30 ? 0 : n < 42 ? 1 : 2][static_cast<std::size_t>(folds[n])];
    CHECK(count[0] == std::array{10, 10, 10});
    CHECK(count[1] == std::array{4, 4, 4});
    CHECK(count[2] == std::array{3, 3, 3});
}

TEST_CASE("Folds follow the seed and nothing else", "[folds]") {
    const Catalogue catalogue = made_catalogue(60, 3);
    const auto folds = assign_folds(catalogue, classes(), folds_spec(4)).folds;
    CHECK(assign_folds(catalogue, classes(), folds_spec(4)).folds == folds);
    CHECK(assign_folds(catalogue, classes(), folds_spec(4, "stratified", 43)).folds != folds);
}

TEST_CASE("More folds than groups is an error", "[folds]") {
    Catalogue catalogue;
    catalogue.records = {made_record("a", {"1"}, "p"), made_record("b", {"1"}, "p"), made_record("c", {"1"}, "q")};
    CHECK_NOTHROW(assign_folds(catalogue, classes(), folds_spec(2)));
    CHECK_THROWS_AS(assign_folds(catalogue, classes(), folds_spec(3)), InputError);
}

TEST_CASE("Records that cannot take part are in no fold and counted by reason", "[folds]") {
    Catalogue catalogue = made_catalogue(30, 1);
    catalogue.records[0].problem = "torn";
    catalogue.records[1].labels.clear();
    catalogue.records[2].leads = {"I", "II"};
    catalogue.records[3].leads = {"MDC_ECG_LEAD_I", "v1"};
    catalogue.records[4].patient.clear();
    catalogue.records[5].labels = {"55827005"};  // a diagnosis that is no class: a negative of all
    const FoldAssignment made = assign_folds(catalogue, classes(), folds_spec(3), leads_of({"I", "V1"}));
    CHECK(made.folds[0] == -1);
    CHECK(made.folds[1] == -1);
    CHECK(made.folds[2] == -1);
    CHECK(made.folds[3] >= 0);
    CHECK(made.folds[5] >= 0);
    CHECK(made.report.unusable == 1);
    CHECK(made.report.without_diagnosis == 1);
    CHECK(made.report.without_lead == 1);
    CHECK(made.report.records_without_patient == 1);
    catalogue.records.resize(2);
    CHECK_THROWS_AS(assign_folds(catalogue, classes(), folds_spec(2)), InputError);
}

TEST_CASE("The report counts positives and names classes that are missing", "[folds]") {
    Catalogue catalogue;
    for (int n = 0; n < 6; ++n) catalogue.records.push_back(made_record("r" + std::to_string(n), {"426783006"}));
    catalogue.records[0].labels.push_back("164889003");
    const FoldReport report = assign_folds(catalogue, classes(), folds_spec(3)).report;
    const std::size_t nsr = *classes().find("426783006");
    for (const auto& fold : report.folds) CHECK(fold.positives[nsr] == 2);
    CHECK(report.classes_without_positives.size() == 28);
    CHECK(report.classes_missing_in_a_fold == std::vector<std::string>{"AF"});
}

TEST_CASE("Fold i is tested, fold i + 1 validates, the rest trains", "[folds]") {
    const Catalogue catalogue = made_catalogue(50, 2);
    const FoldsSpec spec = folds_spec(4);
    const auto folds = assign_folds(catalogue, classes(), spec).folds;
    for (const std::int64_t fold : {0, 3}) {
        const FoldLists lists = make_fold_lists(catalogue, classes(), folds, job_of(fold, spec), "d");
        for (const auto n : lists.test) CHECK(folds[static_cast<std::size_t>(n)] == fold);
        for (const auto n : lists.validation) CHECK(folds[static_cast<std::size_t>(n)] == (fold + 1) % 4);
        CHECK(lists.train.size() + lists.validation.size() + lists.test.size() == catalogue.records.size());
        CHECK_FALSE(lists.is_leaky);
        CHECK(lists.labels == label_matrix(catalogue, classes()));
        CHECK((lists.data_digest == "d" && lists.fold == fold && lists.label_set.name == "challenge2021"));
    }
}

TEST_CASE("validation: tested steers by the tested fold and is marked leaky", "[folds]") {
    const Catalogue catalogue = made_catalogue(50, 2);
    FoldsSpec spec = folds_spec(2);
    const auto folds = assign_folds(catalogue, classes(), spec).folds;
    CHECK_THROWS_AS(make_fold_lists(catalogue, classes(), folds, job_of(0, spec), ""), InputError);
    spec.validation = "tested";
    const FoldLists lists = make_fold_lists(catalogue, classes(), folds, job_of(1, spec), "");
    CHECK(lists.groups.size() == catalogue.records.size());
    CHECK(lists.is_leaky);
    CHECK(lists.validation == lists.test);
    CHECK(lists.train.size() + lists.test.size() == catalogue.records.size());
}

TEST_CASE("A group in two lists is caught", "[folds]") {
    Catalogue catalogue;
    catalogue.records = {made_record("a", {"1"}, "p"), made_record("b", {"1"}, "p"), made_record("c", {"1"}, "q")};
    CHECK_THROWS_AS(make_fold_lists(catalogue, classes(), {0, 1, 2}, job_of(0, folds_spec(3)), ""), std::logic_error);
    CHECK_NOTHROW(make_fold_lists(catalogue, classes(), {0, 1, 2}, job_of(0, folds_spec(3, "study")), ""));
}

TEST_CASE("study splits patients, and the report says how many", "[folds]") {
    const Catalogue catalogue = made_catalogue(100, 9);
    const FoldReport report = assign_folds(catalogue, classes(), folds_spec(5, "study")).report;
    CHECK(report.split_groups > 10);
    CHECK(report.groups == 100);
}

TEST_CASE("source_out holds one database out at a time, and keeps its patients out of the others", "[folds]") {
    Catalogue catalogue;
    for (int n = 0; n < 30; ++n) {
        catalogue.records.push_back(
            made_record(fmt::format("r{:02}", n), {"426783006"}, n == 0 || n == 1 ? "shared" : fmt::format("p{}", n)));
        catalogue.records.back().source = n % 3 == 0 ? "cpsc" : n % 3 == 1 ? "georgia" : "ptb-xl";
    }
    const auto spec = folds_spec(3, "source_out");
    const FoldAssignment made = assign_folds(catalogue, classes(), spec);
    CHECK(made.report.fold_names == std::vector<std::string>{"cpsc", "georgia", "ptb-xl"});
    CHECK(made.report.split_groups == 1);
    const FoldLists lists = make_fold_lists(catalogue, classes(), made.folds, job_of(2, spec), "d");
    CHECK(lists.test.size() == 10);
    CHECK(lists.validation.size() == 10);  // cpsc, with one half of the shared patient
    CHECK(lists.train.size() == 9);        // georgia without the other half
    CHECK(std::count(lists.train.begin(), lists.train.end(), 1) == 0);
    CHECK_THROWS_AS(assign_folds(catalogue, classes(), folds_spec(4, "source_out")), InputError);
}

TEST_CASE("column takes the folds of a table, in the order of numbers", "[folds]") {
    Catalogue catalogue;
    for (int n = 0; n < 24; ++n) {
        catalogue.records.push_back(made_record(fmt::format("r{:02}", n), {"426783006"}, fmt::format("p{}", n)));
        catalogue.records.back().fold = n < 22 ? std::to_string(n % 11 + 1) : "";
    }
    const FoldAssignment made = assign_folds(catalogue, classes(), folds_spec(11, "column"));
    CHECK(made.folds[0] == 0);
    CHECK(made.folds[9] == 9);    // "10" after "9"
    CHECK(made.folds[10] == 10);  // "11"
    CHECK(made.folds[22] == -1);
    CHECK(made.report.without_fold == 2);
    CHECK(made.report.fold_names.back() == "11");
}

TEST_CASE("Records published below a rate, or too slow for the band-pass, are in no fold", "[folds]") {
    Catalogue catalogue;
    for (int n = 0; n < 10; ++n) {
        catalogue.records.push_back(made_record(fmt::format("r{:02}", n), {"426783006"}));
        catalogue.records.back().sampling_hz = n < 4 ? 100 : 500;
    }
    DataSpec data;
    CHECK(assign_folds(catalogue, classes(), folds_spec(2), data).report.below_min_rate == 0);
    data.min_native_hz = 500;
    CHECK(assign_folds(catalogue, classes(), folds_spec(2), data).report.below_min_rate == 4);
    data.min_native_hz = 0;
    data.band_pass_hz = {0.5, 50};
    CHECK(assign_folds(catalogue, classes(), folds_spec(2), data).report.below_min_rate == 4);
}

TEST_CASE("Records that lack limb leads take part where these are derived", "[folds]") {
    Catalogue catalogue;
    for (int n = 0; n < 6; ++n) {
        catalogue.records.push_back(made_record(fmt::format("r{:02}", n), {"426783006"}));
        if (n < 3) catalogue.records.back().leads = {"I", "II", "V1"};
    }
    DataSpec data = leads_of({"aVR", "V1"});
    CHECK(assign_folds(catalogue, classes(), folds_spec(3), data).report.without_lead == 3);
    data.derive_leads = "limb";
    CHECK(assign_folds(catalogue, classes(), folds_spec(3), data).report.without_lead == 0);
}

TEST_CASE("A class of several codes is positive with each of them", "[folds]") {
    Catalogue catalogue;
    catalogue.records = {made_record("a", {"59118001"}), made_record("b", {"713427006"}), made_record("c", {"1"})};
    const LabelSet& groups = label_set("challenge2021_groups");
    const auto labels = label_matrix(catalogue, groups);
    const std::size_t rbbb = *groups.find("59118001");
    CHECK((labels[rbbb] == 1 && labels[26 + rbbb] == 1 && labels[52 + rbbb] == 0));
}

#include "orchestrator/plan/catalogue_source.hpp"

#include <fstream>

#include <sys/stat.h>

#include "orchestrator/plan/label_table.hpp"
#include "tests/orchestrator/plan/plan_support.hpp"
#include "tests/support/catch.hpp"

using namespace leadsweep;
using namespace leadsweep::test;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

SurveyedFile surveyed(const fs::path& folder, const std::string& path) {
    struct stat status {};
    REQUIRE(::stat((folder / path).c_str(), &status) == 0);
    return {path, status.st_size, std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

/// What a survey of these headers would report: header and .dat file of each.
Catalogue survey_of(const fs::path& folder, const std::vector<std::string>& headers) {
    Catalogue catalogue;
    for (const auto& header : headers) {
        const std::string path = header.substr(0, header.size() - 4);
        CatalogueRecord record = made_record(path, {"1"});
        record.files = {surveyed(folder, header)};
        if (fs::exists(folder / (path + ".dat")))
            record.files.push_back(surveyed(folder, path + ".dat"));
        else
            record.problem = "no signal file";
        catalogue.records.push_back(record);
    }
    return catalogue;
}

/// A folder of records a/1, a/2, b with a catalogue that describes it.
struct Records {
    Records() {
        for (const std::string path : {"a/2", "b", "a/1"}) {
            write(folder.path / (path + ".hea"), "header");
            write(folder.path / (path + ".dat"), "signal");
        }
        write(folder.path / "labels.csv", "path\n");
        cached = survey_of(folder.path, {"a/1.hea", "a/2.hea", "b.hea"});
    }
    SurveyNeed need() const { return compare_with_cached(scan_records_folder(folder.path), cached); }
    TemporaryFolder folder;
    Catalogue cached;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("A scan finds all headers below the folder, sorted", "[catalogue]") {
    const Records records;
    CHECK(scan_records_folder(records.folder.path).records == Names{"a/1", "a/2", "b"});
}

TEST_CASE("A scan follows a link once, and lists what lies below by its own path", "[catalogue]") {
    const Records records;
    const TemporaryFolder elsewhere;
    write(elsewhere.path / "x/9.hea", "header");
    fs::create_directory_symlink(elsewhere.path, records.folder.path / "0_linked");
    fs::create_directory_symlink(records.folder.path, records.folder.path / "a" / "loop");
    fs::create_directory_symlink(records.folder.path / "a", records.folder.path / "0_same");
    fs::create_symlink("/nowhere/at/all", records.folder.path / "dangling.hea");
    CHECK(scan_records_folder(records.folder.path).records == Names{"0_linked/x/9", "a/1", "a/2", "b"});
}

TEST_CASE("A folder that is missing or holds no record is an error that names it", "[catalogue]") {
    const TemporaryFolder folder;
    const auto missing = problems_in([&] { scan_records_folder(folder.path / "none"); });
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].find((folder.path / "none").string()) != std::string::npos);
    const auto empty = problems_in([&] { scan_records_folder(folder.path); });
    REQUIRE(empty.size() == 1);
    CHECK(empty[0].find("no WFDB header") != std::string::npos);
}

TEST_CASE("A record whose name is no UTF-8 is an error that shows the name", "[catalogue]") {
    const Records records;
    write(records.folder.path / "a/\xFC.hea", "header");
    const auto problems = problems_in([&] { scan_records_folder(records.folder.path); });
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].find("a/\xC3\xBC.hea") != std::string::npos);
    CHECK(problems[0].find("rename it") != std::string::npos);
    write(records.folder.path / "\xE4/1.hea", "header");
    CHECK(problems_in([&] { scan_records_folder(records.folder.path / "\xE4"); }).at(0).find("\xC3\xA4/1.hea") !=
          std::string::npos);
}

TEST_CASE("Only what changed must be surveyed", "[catalogue]") {
    Records records;
    CHECK(records.need().is_fresh());
    CHECK(records.need().kept == 3);
    SECTION("a signal file of another size") {
        write(records.folder.path / "b.dat", "longer signal");
        CHECK(records.need().headers == Names{"b.hea"});
        CHECK(records.need().kept == 2);
    }
    SECTION("a header of another time") {
        fs::last_write_time(records.folder.path / "a/1.hea", fs::file_time_type::clock::now() + std::chrono::hours(1));
        CHECK(records.need().headers == Names{"a/1.hea"});
    }
    SECTION("a new record") {
        write(records.folder.path / "c/7.hea", "header");
        CHECK(records.need().headers == Names{"c/7.hea"});
        CHECK(records.need().gone == 0);
    }
    SECTION("a record that is gone") {
        fs::remove(records.folder.path / "b.hea");
        CHECK(records.need().headers.empty());
        CHECK(records.need().gone == 1);
        CHECK_FALSE(records.need().is_fresh());
    }
    SECTION("a signal file that is gone") {
        fs::remove(records.folder.path / "b.dat");
        CHECK(records.need().headers == Names{"b.hea"});
    }
    SECTION("a missing signal file that has come") {
        fs::remove(records.folder.path / "b.dat");
        records.cached = survey_of(records.folder.path, {"a/1.hea", "a/2.hea", "b.hea"});
        CHECK(records.need().is_fresh());
        write(records.folder.path / "b.dat", "signal");
        CHECK(records.need().headers == Names{"b.hea"});
    }
    SECTION("everything, without a cache") {
        records.cached = {};
        CHECK(records.need().headers == Names{"a/1.hea", "a/2.hea", "b.hea"});
    }
}

TEST_CASE("A fresh catalogue surveys what changed and keeps the rest", "[catalogue]") {
    Records records;
    DataSpec data;
    data.records = records.folder.path.string();
    std::vector<nlohmann::json> requests;
    const auto survey = [&](const nlohmann::json& request) {
        requests.push_back(request);
        return survey_of(records.folder.path, request.at("headers"));
    };
    const Catalogue first = fresh_catalogue(data, std::nullopt, survey);
    REQUIRE(requests.size() == 1);
    CHECK(requests[0] ==
          nlohmann::json{{"records_folder", data.records}, {"headers", {"a/1.hea", "a/2.hea", "b.hea"}}});
    CHECK(fresh_catalogue(data, first, survey).records.size() == 3);
    CHECK(requests.size() == 1);

    write(records.folder.path / "a/15.hea", "header");
    write(records.folder.path / "a/15.dat", "signal");
    fs::remove(records.folder.path / "b.hea");
    const Catalogue second = fresh_catalogue(data, first, survey);
    CHECK(requests.back().at("headers") == nlohmann::json::array({"a/15.hea"}));
    Names paths;
    for (const auto& record : second.records) paths.push_back(record.path);
    CHECK(paths == Names{"a/1", "a/15", "a/2"});
    const auto nothing = [](const nlohmann::json&) { return Catalogue{}; };
    CHECK_THROWS_AS(fresh_catalogue(data, std::nullopt, nothing), InputError);
}

TEST_CASE("Generated records are asked for by their settings and cached by them", "[catalogue]") {
    DataSpec data;
    data.synthetic.patients = 4;
    data.synthetic.signs = {"V2"};
    const auto request = survey_request(data, {});
    CHECK(request.at("synthetic").at("patients") == 4);
    CHECK(request.at("synthetic").at("signs") == nlohmann::json::array({"V2"}));
    CHECK(request.at("synthetic").size() == 8);
    CHECK_FALSE(survey_request(DataSpec{}, {"a.hea"}).contains("synthetic"));

    DataSpec same = data;
    same.window_s = 3;
    same.labels = "synthetic";
    CHECK(source_of(same) == source_of(data));
    same.synthetic.seed = 9;
    CHECK(source_of(same) != source_of(data));
    int surveys = 0;
    const auto survey = [&](const nlohmann::json&) { return ++surveys, Catalogue{}; };
    fresh_catalogue(data, Catalogue{}, survey);
    CHECK(surveys == 0);
    fresh_catalogue(data, std::nullopt, survey);
    CHECK(surveys == 1);
}

TEST_CASE("A table's columns take the place of the headers", "[catalogue][table]") {
    const TemporaryFolder records;
    const TemporaryFolder sweep;
    Catalogue catalogue;
    catalogue.records = {made_record("a/1", {"1"}, "old"), made_record("a/2", {"2"}, "old"),
                         made_record("b", {"3"}, "old")};
    TableSpec table;
    table.file = "labels.csv";
    table.labels = "dx";
    table.patient = "group";
    write(records.path / "labels.csv",
          "\xEF\xBB\xBFpath,note,dx,group\r\na/1,\"one, two\",10;20; 10,g1\r\n./a/2.hea,,\"30,40\",\r\nzzz,,1,g\r\n");
    SECTION("labels and patients") {
        const TableReport report = apply_table(catalogue, table, records.path, sweep.path);
        CHECK(catalogue.records[0].labels == Names{"10", "20"});
        CHECK(catalogue.records[0].patient == "g1");
        CHECK(catalogue.records[1].labels == Names{"30", "40"});
        CHECK(catalogue.records[1].patient.empty());
        CHECK(catalogue.records[2].labels == Names{"3"});
        CHECK(catalogue.records[2].patient == "old");
        CHECK(report.records_without_row == 1);
        CHECK(report.rows_without_record == 1);
    }
    SECTION("only the columns that are named") {
        table.patient.clear();
        apply_table(catalogue, table, records.path, sweep.path);
        CHECK(catalogue.records[0].patient == "old");
    }
    SECTION("the digest follows the table") {
        const std::string before = digest_of(catalogue);
        apply_table(catalogue, table, records.path, sweep.path);
        CHECK(digest_of(catalogue) != before);
    }
    SECTION("the sweep file's folder comes second") {
        fs::rename(records.path / "labels.csv", sweep.path / "labels.csv");
        CHECK(apply_table(catalogue, table, records.path, sweep.path).file == (sweep.path / "labels.csv").string());
    }
    SECTION("an empty cell means that nothing is known") {
        write(records.path / "labels.csv", "path,dx,group\na/1,,g\n");
        apply_table(catalogue, table, records.path, sweep.path);
        CHECK(catalogue.records[0].labels.empty());
    }
}

TEST_CASE("A table that does not fit is an error that says why", "[catalogue][table]") {
    const TemporaryFolder folder;
    Catalogue catalogue;
    catalogue.records = {made_record("a", {"1"})};
    TableSpec table;
    table.file = "t.csv";
    table.labels = "dx";
    const auto problem = [&](const std::string& csv) {
        write(folder.path / "t.csv", csv);
        const auto problems = problems_in([&] { apply_table(catalogue, table, folder.path, folder.path); });
        return problems.size() == 1 ? problems[0].substr(folder.path.string().size()) : std::to_string(problems.size());
    };
    CHECK(
        problem("path,dxx\na,1\n") ==
        "/t.csv: data.table.labels names the column 'dx', which is not there, did you mean 'dxx'?; columns: path, dxx");
    CHECK(problem("record,dx\n") ==
          "/t.csv: data.table.record names the column 'path', which is not there; columns: record, dx");
    CHECK(problem("path,dx\na,1,2\n") == "/t.csv: row 2 has 3 fields, the first row has 2");
    CHECK(problem("path,dx\na,1\na,2\n") == "/t.csv: record 'a' is in rows 2 and 3");
    table.file = "none.csv";
    CHECK_THROWS_AS(apply_table(catalogue, table, folder.path, folder.path), InputError);
}

// Every real record in the folder named by LEADSWEEP_ECG, or beside the source tree.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>

#include "shared/core/digest.hpp"
#include "shared/core/text.hpp"
#include "tests/support/catch.hpp"
#include "worker/dataset/survey.hpp"
#include "worker/dataset/wfdb_record.hpp"

using namespace leadsweep;

namespace {

std::filesystem::path real_records() {
    const char* named = std::getenv("LEADSWEEP_ECG");
    return named ? std::filesystem::path(named) : std::filesystem::path(LEADSWEEP_SOURCE_DIR) / "../shared/ecg";
}

std::vector<std::filesystem::path> headers_below(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> headers;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.path().extension() == ".hea") headers.push_back(entry.path());
    std::sort(headers.begin(), headers.end());
    return headers;
}

}  // namespace

TEST_CASE("Real records have the values that SciPy and wfdb-python read", "[wfdb][real]") {
    if (!std::filesystem::exists(real_records())) LEADSWEEP_SKIP("no real records at " << real_records());
    std::ifstream reference(std::filesystem::path(LEADSWEEP_SOURCE_DIR) / "tests/reference/wfdb/real.csv");
    read_csv_row(reference);
    std::size_t all_records = 0;
    while (const auto row = read_csv_row(reference)) {
        CAPTURE(row->at(0));
        Sha256 digest;
        double physical_sum_mv = 0;
        const auto headers = headers_below(real_records() / row->at(0));
        CHECK(headers.size() == std::stoul(row->at(1)));
        all_records += headers.size();
        for (const auto& header : headers) {
            const auto record = read_wfdb_record(header);
            digest.update(record.digital.data(), record.digital.size() * sizeof(std::int32_t));
            std::vector<double> values(static_cast<std::size_t>(record.samples));
            for (std::int64_t lead = 0; lead < record.leads(); ++lead) {
                lead_in_microvolt(record, lead, values);
                for (const double value : values) physical_sum_mv += std::abs(value) / 1000;
            }
        }
        CHECK(digest.finish() == row->at(2));
        // wfdb-python rejects the headers of some records; where there is no unit there is no sum.
        if (std::stoul(row->at(3)) == headers.size() && std::stod(row->at(4)) > 0)
            CHECK(physical_sum_mv == Approx(std::stod(row->at(4))).epsilon(1e-9));
    }
    CHECK(all_records == 1446);
}

TEST_CASE("The survey of the real records agrees with their table", "[survey][real]") {
    if (!std::filesystem::exists(real_records())) LEADSWEEP_SKIP("no real records at " << real_records());
    SurveyRequest request;
    request.records_folder = real_records().string();
    for (const auto& header : headers_below(real_records()))
        request.headers.push_back(std::filesystem::relative(header, real_records()).generic_string());
    std::map<std::string, CatalogueRecord> surveyed;
    for (auto& record : survey(request, nullptr)) surveyed[record.path] = record;

    std::ifstream table(real_records() / "labels.csv");
    const auto columns = *read_csv_row(table);
    const auto field = [&](const std::vector<std::string>& row, const char* name) {
        return row.at(static_cast<std::size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin()));
    };
    std::size_t rows = 0;
    std::map<std::string, std::string> digest_of_md5;
    while (const auto row = read_csv_row(table)) {
        ++rows;
        CAPTURE(field(*row, "path"));
        const auto& record = surveyed.at(field(*row, "path"));
        CHECK(record.problem.empty());
        CHECK(record.files.size() == 2);
        CHECK(record.source == field(*row, "path").substr(0, field(*row, "path").find('/')));
        CHECK(record.sampling_hz == std::stod(field(*row, "fs")));
        CHECK(record.samples == std::stoll(field(*row, "samples")));
        CHECK(static_cast<std::int64_t>(record.leads.size()) == std::stoll(field(*row, "leads")));
        CHECK(record.constant_leads == std::stoll(field(*row, "flat_leads")));
        // Two records have equal digests exactly if the table says that their samples are the same.
        const auto [known, is_new] = digest_of_md5.emplace(field(*row, "signal_md5"), record.signal_digest);
        CHECK(known->second == record.signal_digest);
        if (field(*row, "label_source") != "header") continue;
        auto labels = record.labels;
        auto expected = split(field(*row, "dx_snomed"), ';');
        std::sort(labels.begin(), labels.end());
        std::sort(expected.begin(), expected.end());
        CHECK(labels == expected);
    }
    CHECK(rows == 1446);
}

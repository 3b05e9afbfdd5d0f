#include "orchestrator/plan/plan_notes.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace leadsweep {
namespace {

constexpr std::size_t kShownCodes = 8;

}  // namespace

std::vector<std::string> record_notes(const Catalogue& catalogue) {
    const auto repaired = std::count_if(catalogue.records.begin(), catalogue.records.end(), [](const auto& record) {
        return record.is_usable() && !record.repairs.empty();
    });
    if (repaired == 0) return {};
    return {fmt::format("{} of {} records are used after a repair", repaired, catalogue.records.size())};
}

std::vector<std::string> table_notes(const TableReport& report, std::size_t records) {
    std::vector<std::string> notes;
    if (report.records_without_row > 0)
        notes.push_back(fmt::format("{} of {} records have no row in {}: their headers count",
                                    report.records_without_row, records, report.file));
    if (report.rows_without_record > 0)
        notes.push_back(
            fmt::format("{} rows of {} name records that are not there", report.rows_without_record, report.file));
    return notes;
}

std::vector<std::string> label_notes(const Catalogue& catalogue, const LabelSet& set) {
    std::map<std::string, std::size_t> records_of;
    std::size_t labels = 0;
    for (const auto& record : catalogue.records)
        for (const auto& code : record.labels)
            if (record.is_usable() && !set.find(code)) {
                ++records_of[code];
                ++labels;
            }
    if (labels == 0) return {};
    std::vector<std::pair<std::string, std::size_t>> codes(records_of.begin(), records_of.end());
    std::stable_sort(codes.begin(), codes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < std::min(kShownCodes, codes.size()); ++i)
        shown.push_back(fmt::format("{} ({})", codes[i].first, codes[i].second));
    return {fmt::format("{} labels of {} codes have no class in the label set {} (leadsweep data lists them): {}{}",
                        labels, codes.size(), set.name, fmt::join(shown, ", "),
                        codes.size() > kShownCodes ? ", ..." : "")};
}

std::vector<std::string> fold_notes(const FoldReport& report, const JobSpec& spec) {
    std::vector<std::string> notes;
    const auto count = [&](std::size_t number, const std::string& text) {
        if (number > 0) notes.push_back(fmt::format("{} records {}", number, text));
    };
    count(report.unusable, "cannot be used (leadsweep data names them)");
    count(report.without_diagnosis, "have no known diagnosis and are in no fold");
    count(report.without_lead, "lack a lead of data.leads and are in no fold");
    count(report.below_min_rate,
          "were published at too low a rate (data.min_native_hz, data.band_pass_hz) and are in no fold");
    count(report.without_fold, "have no fold in the column data.table.fold and are in no fold");
    count(report.records_without_patient, "have no patient: each is a group of its own unless its signal occurs twice");
    if (!report.classes_without_positives.empty())
        notes.push_back(fmt::format("no record has {}: no figure is computed for them",
                                    fmt::join(report.classes_without_positives, ", ")));
    if (!report.classes_missing_in_a_fold.empty())
        notes.push_back(fmt::format("with {} folds ({}), some folds have no {}", spec.folds.k, spec.folds.assign,
                                    fmt::join(report.classes_missing_in_a_fold, ", ")));
    if (report.split_groups > 0 && spec.folds.assign == "study")
        notes.push_back(
            fmt::format("folds.assign study puts {} of {} groups into several folds: records of one patient are "
                        "trained and tested on",
                        report.split_groups, report.groups));
    return notes;
}

std::size_t dropped_records(const PlannedFolds& folds, const FoldLists& lists) {
    const auto assigned = static_cast<std::size_t>(
        std::count_if(folds.fold_of.begin(), folds.fold_of.end(), [](int fold) { return fold >= 0; }));
    const std::size_t listed = lists.train.size() + lists.test.size() + (lists.is_leaky ? 0 : lists.validation.size());
    return assigned - listed;
}

}  // namespace leadsweep

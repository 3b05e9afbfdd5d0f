#include "orchestrator/plan/manifest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

const char* show(LeftOut reason) {
    switch (reason) {
        case LeftOut::kUnusable:
            return "cannot be read";
        case LeftOut::kNoDiagnosis:
            return "no diagnosis";
        case LeftOut::kMissingLead:
            return "lacks a lead";
        case LeftOut::kLowRate:
            return "published below data.min_native_hz";
        case LeftOut::kNoFold:
            return "no fold in the table";
        case LeftOut::kNo:
            return "";
    }
    return "";
}

}  // namespace

std::string manifest_csv(const Plan& plan, const PlannedFolds& folds) {
    const PlannedData& data = plan.data[folds.data];
    const auto& records = data.catalogue->records;
    const auto groups = record_groups(*data.catalogue);
    const auto reasons = left_out_records(*data.catalogue, folds.selection, folds.spec);
    std::string text = "path,source,patient,group,fold,why,labels,signal_sha256\n";
    for (std::size_t n = 0; n < records.size(); ++n) {
        const int fold = folds.fold_of[n];
        text += fmt::format("{},{},{},{},{},{},{},{}\n", csv_field(records[n].path), csv_field(records[n].source),
                            csv_field(records[n].patient), groups[n], fold < 0 ? "" : fmt::format("{}", fold),
                            show(reasons[n]), csv_field(fmt::format("{}", fmt::join(records[n].labels, ";"))),
                            records[n].signal_digest);
    }
    return text;
}

}  // namespace leadsweep

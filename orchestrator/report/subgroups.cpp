#include "orchestrator/report/subgroups.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/catalogue.hpp"
#include "shared/job/fold_lists.hpp"
#include "shared/metrics/evaluate.hpp"

namespace leadsweep {
namespace {

std::string age_band(const CatalogueRecord& record) {
    if (!record.age_years) return "age not known";
    const double age = *record.age_years;
    return age < 18 ? "0-17" : age < 40 ? "18-39" : age < 60 ? "40-59" : age < 80 ? "60-79" : "80+";
}

std::string subgroup_of(const CatalogueRecord& record, const std::string& by) {
    if (by.empty()) return "all";
    if (by == "source") return record.source.empty() ? "(top folder)" : record.source;
    if (by == "sex") return record.sex.empty() ? "sex not known" : record.sex;
    return age_band(record);
}

/// Labels and logits of a subgroup, [n, K] row-major.
struct Predicted {
    std::vector<std::uint8_t> labels;
    std::vector<float> logits;
    std::int64_t records = 0;
};

/// Where the files of one finished job lie.
struct JobFiles {
    std::size_t group;
    std::string predictions;
    std::string digest;
    std::string lists;
    std::string data_digest;
};

class SubgroupReader {
public:
    SubgroupReader(const ReadStore& store, std::string work, const SubgroupRequest& request)
        : store_(store), work_(std::move(work)), request_(request), selection_(select_jobs(store, request.filter)) {}

    Table make() {
        for (const JobFiles& files : finished_jobs()) read(files);
        if (predicted_.empty())
            throw InputError(
                fmt::format("sweep {} has no finished job yet: there are no predictions", selection_.sweep));
        Table table;
        table.caption = fmt::format("Tested folds together, decisions at 0.5; sweep {}", selection_.sweep);
        table.columns = {{"configuration", Alignment::kLeft}};
        if (!request_.by.empty()) table.columns.push_back({request_.by, Alignment::kLeft});
        table.columns.push_back({"records", Alignment::kRight});
        for (const auto& metric : request_.metrics) table.columns.push_back({metric, Alignment::kRight});
        for (const auto& [key, predicted] : predicted_) add_row(table, key.first, key.second, predicted);
        table.notes.emplace_back(
            "Computed from the stored predictions of all tested folds at once: ranks compare scores of different "
            "networks, so "
            "AUROC may differ from the mean over folds.");
        table.notes.insert(table.notes.end(), selection_.notes.begin(), selection_.notes.end());
        return table;
    }

private:
    std::vector<JobFiles> finished_jobs() const {
        std::map<std::int64_t, std::size_t> group_of;
        for (const SelectedJob& job : selection_.jobs)
            if (job.attempt_id != 0) group_of.emplace(job.attempt_id, job.group);
        const SqlResult rows = store_.ask(
            "SELECT a.attempt_id, a.folder || '/' || p.path, p.digest, f.path, f.data_digest FROM artifacts AS p "
            "JOIN attempts AS a USING (attempt_id) JOIN jobs AS j USING (job_id) "
            "JOIN folds AS f USING (lists_digest) WHERE p.kind = 'predictions' ORDER BY 1",
            {});
        std::vector<JobFiles> files;
        for (const auto& row : rows.rows)
            if (const auto found = group_of.find(*as_integer(row[0])); found != group_of.end())
                files.push_back({found->second, as_text(row[1]), as_text(row[2]), as_text(row[3]), as_text(row[4])});
        return files;
    }

    std::string name_of(std::size_t group) const {
        const std::string name = selection_.name_of(selection_.groups[group]);
        return name.empty() ? selection_.sweep : name;
    }

    const Catalogue& catalogue_of(const std::string& data_digest) {
        auto& known = catalogues_[data_digest];
        if (!known)
            known =
                std::make_unique<Catalogue>(load_catalogue(fmt::format("{}/catalogues/{}.jsonl", work_, data_digest)));
        return *known;
    }

    void read(const JobFiles& files) {
        const std::string path = fmt::format("{}/{}", work_, files.predictions);
        if (sha256_file(path) != files.digest)
            throw InputError(
                fmt::format("{}: has changed since it was made: leadsweep doctor tells what else has", path));
        const ArrayFile arrays = load_arrays(path);
        const FoldLists lists = load_fold_lists(fmt::format("{}/{}", work_, files.lists));
        set_ = lists.label_set;
        const auto records = arrays.at("test_records").values<std::int32_t>();
        const auto logits = arrays.at("test_logits").values<float>();
        const Catalogue& catalogue = catalogue_of(files.data_digest);
        const auto width = static_cast<std::ptrdiff_t>(lists.class_count);
        for (std::size_t i = 0; i < records.size(); ++i) {
            const auto record = static_cast<std::size_t>(records[i]);
            auto& to = predicted_[{files.group, subgroup_of(catalogue.records.at(record), request_.by)}];
            const auto label = lists.labels.begin() + static_cast<std::ptrdiff_t>(record) * width;
            const auto logit = logits.begin() + static_cast<std::ptrdiff_t>(i) * width;
            to.labels.insert(to.labels.end(), label, label + width);
            to.logits.insert(to.logits.end(), logit, logit + width);
            ++to.records;
        }
    }

    /// "auroc:AF" as code and name; a name alone is a figure over all classes.
    std::pair<std::string, std::string> parse(const std::string& metric) const {
        const auto colon = metric.find(':');
        if (colon == std::string::npos) return {"", metric};
        const std::string word = metric.substr(colon + 1);
        for (std::size_t group = 0; group < set_.groups.size(); ++group)
            if (set_.group_code(group) == word || set_.group_abbreviation(group) == word)
                return {set_.group_code(group), metric.substr(0, colon)};
        for (const auto& one : set_.classes)
            if (one.code == word || one.abbreviation == word) return {one.code, metric.substr(0, colon)};
        std::vector<std::string> known;
        for (const auto& one : set_.classes) known.push_back(one.abbreviation);
        throw InputError(fmt::format("unknown class '{}'{}", word, suggestion(word, known)));
    }

    void add_row(Table& table, std::size_t group, const std::string& subgroup, const Predicted& predicted) const {
        const auto figures = evaluate(set_, predicted.labels, predicted.logits, "test");
        auto& row = table.rows.emplace_back();
        row.push_back(cell_of(CellValue(name_of(group))));
        if (!request_.by.empty()) row.push_back(cell_of(CellValue(subgroup)));
        row.push_back(cell_of(predicted.records));
        for (const auto& metric : request_.metrics) {
            const auto [code, name] = parse(metric);
            const auto found = std::find_if(
                figures.begin(), figures.end(),
                [&, c = code, n = name](const Metric& figure) { return figure.class_code == c && figure.name == n; });
            if (found == figures.end()) refuse(figures, name, code);
            Cell cell;
            cell.text = found->value ? fmt::format("{:.3f}", *found->value) : "-";
            cell.values = {found->value ? CellValue(*found->value) : CellValue()};
            row.push_back(std::move(cell));
        }
    }

    [[noreturn]] static void refuse(const std::vector<Metric>& figures, const std::string& name,
                                    const std::string& code) {
        std::vector<std::string> known;
        for (const Metric& figure : figures)
            if (figure.class_code == code) known.push_back(figure.name);
        throw InputError(fmt::format("there is no figure '{}'{}; there are: {}", name, suggestion(name, known),
                                     fmt::join(known, ", ")));
    }

    const ReadStore& store_;
    std::string work_;
    const SubgroupRequest& request_;
    Selection selection_;
    LabelSet set_;
    std::map<std::string, std::unique_ptr<Catalogue>> catalogues_;
    std::map<std::pair<std::size_t, std::string>, Predicted> predicted_;
};

}  // namespace

Table subgroup_table(const ReadStore& store, const std::string& work, const SubgroupRequest& request) {
    if (!request.by.empty() && request.by != "source" && request.by != "sex" && request.by != "age")
        throw InputError(fmt::format("--by: found '{}', expected source, sex or age", request.by));
    return SubgroupReader(store, work, request).make();
}

}  // namespace leadsweep

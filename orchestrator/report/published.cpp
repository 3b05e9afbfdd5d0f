#include "orchestrator/report/published.hpp"

#include <array>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/statistics/summary.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// Figures in the order of the columns.
constexpr std::array<const char*, 6> kFigures = {"macro_f1_30",    "macro_f1",    "accuracy_30",
                                                 "macro_auroc_30", "macro_auroc", "macro_auprc"};
constexpr std::array<const char*, 6> kHeaders = {"F1, single classes",    "F1, scored groups",    "accuracy per label",
                                                 "AUROC, single classes", "AUROC, scored groups", "AUPRC"};

/// Singstad and Muten, README of their repository and abstract (doi 10.1007/s13239-025-00797-8): double soft F1 at 75
/// Hz, ten folds. Whether F1 is over 30 classes or 26 groups is not told; the abstract speaks of 30.
constexpr const char* kStudyF1 = "0.420 ± 0.017";
constexpr const char* kStudyAccuracy = "0.954 ± 0.002";
constexpr const char* kStudyAuroc = "0.832 ± 0.019";
constexpr std::int64_t kStudyRecords = 88253;

Cell cell_of_summary(const std::vector<double>& values) {
    const Summary summary = summarize(values);
    Cell cell;
    cell.text = summary.mean ? fmt::format("{:.3f}", *summary.mean) : "-";
    if (summary.sd) cell.text += fmt::format(" ± {:.3f}", *summary.sd);
    const auto value = [](std::optional<double> number) { return number ? CellValue(*number) : CellValue(); };
    cell.values = {value(summary.mean), value(summary.sd), summary.n};
    return cell;
}

Cell plain(const std::string& text) {
    return {text, {CellValue(text), CellValue(), CellValue()}};
}

class Comparison {
public:
    Comparison(const ReadStore& store, const JobFilter& filter)
        : store_(store), selection_(select_jobs(store, filter)) {
        for (const SelectedJob& job : selection_.jobs)
            if (job.attempt_id != 0) finished_.push_back(&job);
        if (finished_.empty())
            throw InputError(
                fmt::format("sweep {} has no finished job yet: nothing can be compared", selection_.sweep));
    }

    Table make() {
        table_.caption =
            fmt::format("Sweep {} beside the published study; mean ± sd over the tested folds", selection_.sweep);
        table_.columns = {{"", Alignment::kLeft}, {"folds", Alignment::kRight}};
        for (const char* header : kHeaders) table_.columns.push_back({header, Alignment::kRight, {"mean", "sd", "n"}});
        add_published();
        add_ours();
        add_baselines();
        add_notes();
        return std::move(table_);
    }

private:
    void add_published() {
        table_.rows.push_back({cell_of(CellValue("published: double_soft_f1, 75 Hz")), cell_of(std::int64_t{10}),
                               plain(kStudyF1), plain(""), plain(kStudyAccuracy), plain(kStudyAuroc), plain(""),
                               plain("")});
    }

    std::string name_of(std::size_t group) const {
        const std::string name = selection_.name_of(selection_.groups[group]);
        return name.empty() ? "ours" : "ours: " + name;
    }

    void add_ours() {
        for (std::size_t group = 0; group < selection_.groups.size(); ++group) {
            std::int64_t folds = 0;
            for (const SelectedJob* job : finished_) folds += job->group == group ? 1 : 0;
            if (folds == 0) continue;
            auto& row = table_.rows.emplace_back();
            row.push_back(cell_of(CellValue(name_of(group))));
            row.push_back(cell_of(folds));
            for (const char* figure : kFigures) row.push_back(cell_of_summary(values_of(figure, group)));
        }
    }

    /// What needs no model, on the same tested folds.
    void add_baselines() {
        const auto mean = [&](const char* figure) { return cell_of_summary(values_of(figure, std::nullopt)); };
        const Cell half = plain("0.500");
        const Cell zero = plain("0.000");
        table_.rows.push_back({cell_of(CellValue("no model: always no")), plain(""), zero, zero,
                               mean("accuracy_all_negative_30"), half, half, mean("macro_auprc_prevalence")});
        table_.rows.push_back({cell_of(CellValue("no model: always yes")), plain(""), mean("macro_f1_all_positive_30"),
                               mean("macro_f1_all_positive"), plain(""), half, half, mean("macro_auprc_prevalence")});
    }

    /// Values of the tested folds of one configuration, or of all.
    std::vector<double> values_of(const char* figure, std::optional<std::size_t> group) {
        auto& known = values_[figure];
        if (known.empty()) {
            const SqlResult rows = store_.ask(
                "SELECT attempt_id, value FROM metrics WHERE split = 'test' AND class_code = '' AND name = ? AND value "
                "IS NOT NULL",
                {std::string(figure)});
            for (const auto& row : rows.rows) known.emplace(*as_integer(row[0]), *as_number(row[1]));
        }
        std::vector<double> values;
        for (const SelectedJob* job : finished_) {
            if (group && job->group != *group) continue;
            if (const auto found = known.find(job->attempt_id); found != known.end()) values.push_back(found->second);
        }
        return values;
    }

    /// All values of a setting among the configurations that are shown.
    std::string setting(const char* key) const {
        return fmt::format("{}", fmt::join(selection_.values_of(key, "not known"), " or "));
    }

    void difference(const std::string& what, const std::string& published, const std::string& here) {
        if (published != here) table_.notes.push_back(fmt::format("{}: published {}; here {}.", what, published, here));
    }

    std::int64_t tested_records() const {
        std::map<std::size_t, std::int64_t> of_group;
        const SqlResult rows = store_.ask("SELECT attempt_id, n_test FROM attempts WHERE n_test IS NOT NULL");
        std::map<std::int64_t, std::int64_t> of_attempt;
        for (const auto& row : rows.rows) of_attempt.emplace(*as_integer(row[0]), *as_integer(row[1]));
        std::int64_t most = 0;
        for (const SelectedJob* job : finished_)
            most = std::max(most, of_group[job->group] += of_attempt[job->attempt_id]);
        return most;
    }

    void add_notes() {
        table_.notes.emplace_back(
            "No test of significance is made: folds share training records, and the published folds are not at hand.");
        table_.notes.emplace_back("Differences in protocol:");
        difference("Tested records", fmt::format("{}", kStudyRecords), fmt::format("{}", tested_records()));
        difference("Assignment to folds", "study (label combination, seed 42)",
                   setting("folds.assign") == "study" ? "study (label combination, seed 42)" : setting("folds.assign"));
        difference("Folds", "10", setting("folds.k"));
        difference("Fold that steers training", "tested (as in the authors' other code)",
                   setting("folds.validation") == "tested" ? "tested (as in the authors' other code)"
                                                           : setting("folds.validation"));
        difference("Classes", "challenge2021 (30)",
                   setting("data.labels") == "challenge2021" ? "challenge2021 (30)" : setting("data.labels"));
        difference("Normalising", "none", setting("data.normalize"));
        difference("Window (s)", "10", setting("data.window_s"));
        difference("Windows", "first", setting("data.windows"));
        table_.notes.push_back(
            fmt::format("Network: published as Inception, without its size; here {}, depth {}, {} filters, {} epochs "
                        "at most, batch {}, "
                        "learning rate {}.",
                        setting("model.name"), setting("model.depth"), setting("model.filters"),
                        setting("train.epochs"), setting("train.batch"), setting("train.learning_rate")));
        table_.notes.emplace_back(
            "Not published: whether F1 is over 30 classes or 26 groups, what ± is (presumably the sd over folds), the "
            "figures of BCE and of other rates, the sampling rates compared, optimizer and batch.");
        table_.notes.emplace_back(
            "The published accuracy must be the mean per label: always saying no has 0.951 on the study's records.");
        table_.notes.insert(table_.notes.end(), selection_.notes.begin(), selection_.notes.end());
    }

    const ReadStore& store_;
    Selection selection_;
    std::vector<const SelectedJob*> finished_;
    std::map<std::string, std::map<std::int64_t, double>> values_;  ///< by figure, then attempt
    Table table_;
};

}  // namespace

Table published_comparison(const ReadStore& store, const JobFilter& filter, std::string_view study) {
    if (study != "study")
        throw InputError(fmt::format("--published: unknown study '{}': known is study (Singstad and Muten)", study));
    return Comparison(store, filter).make();
}

}  // namespace leadsweep

#include "orchestrator/plan/folds.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

/// Disjoint sets with path halving.
class UnionFind {
public:
    explicit UnionFind(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
    std::size_t root(std::size_t i) {
        while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
        return i;
    }
    void join(std::size_t a, std::size_t b) { parent_[root(b)] = root(a); }

private:
    std::vector<std::size_t> parent_;
};

/// Values renumbered from 0 without gaps, in order of first appearance.
std::vector<std::size_t> renumbered(const std::vector<std::size_t>& values) {
    std::unordered_map<std::size_t, std::size_t> number_of;
    std::vector<std::size_t> numbers;
    numbers.reserve(values.size());
    for (const std::size_t value : values)
        numbers.push_back(number_of.try_emplace(value, number_of.size()).first->second);
    return numbers;
}

/// The labels of one record as text of zeros and ones, as the study encodes a combination.
std::string combination_of(std::span<const std::uint8_t> labels) {
    std::string text;
    for (const std::uint8_t label : labels) text += label ? '1' : '0';
    return text;
}

/// Everything of the report but how many folds have what.
FoldReport start_report(const Catalogue& catalogue, const LabelSet& set, const std::vector<LeftOut>& left_out) {
    FoldReport report;
    for (const auto& c : set.classes) report.class_abbreviations.push_back(c.abbreviation);
    for (std::size_t n = 0; n < left_out.size(); ++n) switch (left_out[n]) {
            case LeftOut::kNo:
                report.records_without_patient += catalogue.records[n].patient.empty() ? 1 : 0;
                break;
            case LeftOut::kUnusable:
                ++report.unusable;
                break;
            case LeftOut::kNoDiagnosis:
                ++report.without_diagnosis;
                break;
            case LeftOut::kMissingLead:
                ++report.without_lead;
                break;
            case LeftOut::kLowRate:
                ++report.below_min_rate;
                break;
            case LeftOut::kNoFold:
                ++report.without_fold;
                break;
        }
    return report;
}

void count_folds(FoldReport& report, const LabelSet& set, const std::vector<int>& folds, std::int64_t fold_count,
                 const std::vector<std::uint8_t>& labels, const std::vector<std::size_t>& groups) {
    const std::size_t classes = set.classes.size();
    report.folds.assign(static_cast<std::size_t>(fold_count), {0, 0, std::vector<std::size_t>(classes, 0)});
    std::vector<std::unordered_set<std::size_t>> groups_of(report.folds.size());
    std::unordered_map<std::size_t, int> first_fold;
    std::unordered_set<std::size_t> split;
    for (std::size_t n = 0; n < folds.size(); ++n) {
        if (folds[n] < 0) continue;
        const auto f = static_cast<std::size_t>(folds[n]);
        ++report.folds[f].records;
        groups_of[f].insert(groups[n]);
        if (first_fold.try_emplace(groups[n], folds[n]).first->second != folds[n]) split.insert(groups[n]);
        for (std::size_t c = 0; c < classes; ++c) report.folds[f].positives[c] += labels[n * classes + c];
    }
    for (std::size_t f = 0; f < groups_of.size(); ++f) report.folds[f].groups = groups_of[f].size();
    report.groups = first_fold.size();
    report.split_groups = split.size();
    for (std::size_t c = 0; c < classes; ++c) {
        const auto empty = static_cast<std::size_t>(
            std::count_if(report.folds.begin(), report.folds.end(),
                          [&](const FoldReport::Fold& fold) { return fold.positives[c] == 0; }));
        if (empty == report.folds.size())
            report.classes_without_positives.push_back(set.classes[c].abbreviation);
        else if (empty > 0)
            report.classes_missing_in_a_fold.push_back(set.classes[c].abbreviation);
    }
}

}  // namespace

std::vector<LeftOut> left_out_records(const Catalogue& catalogue, const DataSpec& data, const FoldsSpec& folds) {
    std::vector<LeftOut> reasons;
    reasons.reserve(catalogue.records.size());
    // Neighbours mostly name their leads alike.
    const CatalogueRecord* last = nullptr;
    bool last_has_leads = false;
    for (const CatalogueRecord& record : catalogue.records) {
        if (!last || last->leads != record.leads)
            last_has_leads = gives_leads(record.leads, data.leads, data.derive_leads == "limb");
        last = &record;
        if (!record.is_usable())
            reasons.push_back(LeftOut::kUnusable);
        else if (!last_has_leads)
            reasons.push_back(LeftOut::kMissingLead);
        else if (record.sampling_hz < data.min_native_hz ||
                 (!data.band_pass_hz.empty() && record.sampling_hz <= 2 * data.band_pass_hz.back()))
            reasons.push_back(LeftOut::kLowRate);
        else if (record.labels.empty())
            reasons.push_back(LeftOut::kNoDiagnosis);
        else
            reasons.push_back(folds.assign == "column" && record.fold.empty() ? LeftOut::kNoFold : LeftOut::kNo);
    }
    return reasons;
}

std::vector<std::uint8_t> label_matrix(const Catalogue& catalogue, const LabelSet& set) {
    std::unordered_map<std::string, std::size_t> index_of;
    for (std::size_t c = 0; c < set.classes.size(); ++c)
        for (const auto& code : split(set.classes[c].code, '|')) index_of[code] = c;
    std::vector<std::uint8_t> labels(catalogue.records.size() * set.classes.size(), 0);
    for (std::size_t n = 0; n < catalogue.records.size(); ++n)
        for (const auto& code : catalogue.records[n].labels)
            if (const auto found = index_of.find(code); found != index_of.end())
                labels[n * set.classes.size() + found->second] = 1;
    return labels;
}

std::vector<std::size_t> record_groups(const Catalogue& catalogue) {
    const auto& records = catalogue.records;
    UnionFind sets(records.size());
    std::unordered_map<std::string, std::size_t> first_of_patient;
    std::unordered_map<std::string, std::size_t> first_of_digest;
    for (std::size_t n = 0; n < records.size(); ++n) {
        if (!records[n].patient.empty())
            sets.join(first_of_patient.try_emplace(records[n].patient, n).first->second, n);
        if (!records[n].signal_digest.empty())
            sets.join(first_of_digest.try_emplace(records[n].signal_digest, n).first->second, n);
    }
    std::vector<std::size_t> roots;
    roots.reserve(records.size());
    for (std::size_t n = 0; n < records.size(); ++n) roots.push_back(sets.root(n));
    return renumbered(roots);
}

namespace {

/// What the strategies of folds.assign start from: the records that take part.
struct Members {
    std::vector<std::size_t> records;  ///< indices into the catalogue
    std::vector<std::uint8_t> labels;  ///< [members, K]
    std::vector<std::size_t> groups;   ///< [members], numbered without gaps
};

/// Values in the order of numbers where all are numbers, else of words.
std::vector<std::string> in_order(std::vector<std::string> values) {
    const auto number_of = [](const std::string& text) {
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
    };
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    if (std::all_of(values.begin(), values.end(), [&](const auto& text) { return number_of(text).has_value(); }))
        std::stable_sort(values.begin(), values.end(),
                         [&](const auto& a, const auto& b) { return *number_of(a) < *number_of(b); });
    return values;
}

/// One fold for each different value.
std::vector<int> folds_by_value(const std::vector<std::string>& values, const FoldsSpec& spec,
                                std::vector<std::string>& names) {
    names = in_order(values);
    if (static_cast<std::int64_t>(names.size()) != spec.k)
        throw InputError(
            fmt::format("folds.k is {}, but with folds.assign {} there are {} folds ({}): give folds.k: {}", spec.k,
                        spec.assign, names.size(), fmt::join(names, ", "), names.size()));
    std::vector<int> folds;
    for (const auto& value : values)
        folds.push_back(static_cast<int>(std::find(names.begin(), names.end(), value) - names.begin()));
    return folds;
}

std::vector<int> folds_of_members(const Catalogue& catalogue, const Members& members, std::size_t classes,
                                  const FoldsSpec& spec, std::vector<std::string>& names) {
    if (spec.assign == "study") {
        std::vector<std::string> combinations;
        for (std::size_t i = 0; i < members.records.size(); ++i)
            combinations.push_back(combination_of(std::span(members.labels).subspan(i * classes, classes)));
        return study_folds(combinations, spec.k, spec.seed);
    }
    if (spec.assign == "stratified") {
        const auto of_group = stratify_groups(members.labels, classes, members.groups, spec.k, spec.seed);
        std::vector<int> folds;
        for (const std::size_t group : members.groups) folds.push_back(of_group[group]);
        return folds;
    }
    std::vector<std::string> values;
    for (const std::size_t n : members.records)
        values.push_back(spec.assign == "column" ? catalogue.records[n].fold : catalogue.records[n].source);
    return folds_by_value(values, spec, names);
}

ClassDeviation deviation_of(const std::vector<int>& folds, const Members& members, const LabelSet& set,
                            std::int64_t fold_count) {
    const std::size_t classes = set.classes.size();
    const auto k = static_cast<std::size_t>(fold_count);
    std::vector<double> counts(k * classes, 0);
    std::vector<double> totals(classes, 0);
    for (std::size_t i = 0; i < folds.size(); ++i)
        for (std::size_t c = 0; c < classes; ++c) {
            counts[static_cast<std::size_t>(folds[i]) * classes + c] += members.labels[i * classes + c];
            totals[c] += members.labels[i * classes + c];
        }
    ClassDeviation worst;
    for (std::size_t c = 0; c < classes; ++c) {
        const double even = totals[c] / static_cast<double>(k);
        if (even < 1) continue;
        for (std::size_t f = 0; f < k; ++f) {
            const double share = std::abs(counts[f * classes + c] - even) / even;
            if (worst.class_abbreviation.empty() || share > worst.share) worst = {set.classes[c].abbreviation, share};
        }
    }
    return worst;
}

}  // namespace

FoldAssignment assign_folds(const Catalogue& catalogue, const LabelSet& set, const FoldsSpec& spec,
                            const DataSpec& data) {
    const auto left_out = left_out_records(catalogue, data, spec);
    const auto labels = label_matrix(catalogue, set);
    const auto groups = record_groups(catalogue);
    const std::size_t classes = set.classes.size();
    Members members;
    for (std::size_t n = 0; n < left_out.size(); ++n) {
        if (left_out[n] != LeftOut::kNo) continue;
        members.records.push_back(n);
        members.labels.insert(members.labels.end(), labels.begin() + static_cast<std::ptrdiff_t>(n * classes),
                              labels.begin() + static_cast<std::ptrdiff_t>((n + 1) * classes));
        members.groups.push_back(groups[n]);
    }
    members.groups = renumbered(members.groups);
    FoldAssignment assignment{std::vector<int>(left_out.size(), -1), start_report(catalogue, set, left_out)};
    FoldReport& report = assignment.report;
    if (members.records.empty())
        throw InputError(fmt::format(
            "none of {} records can be used: {} cannot be read, {} have no diagnosis, {} lack a lead of data.leads "
            "({}), {} have less than data.min_native_hz, {} have no fold",
            left_out.size(), report.unusable, report.without_diagnosis, report.without_lead,
            fmt::join(data.leads, ", "), report.below_min_rate, report.without_fold));
    const auto folds = folds_of_members(catalogue, members, classes, spec, report.fold_names);
    for (std::size_t i = 0; i < members.records.size(); ++i) assignment.folds[members.records[i]] = folds[i];
    report.deviation = deviation_of(folds, members, set, spec.k);
    report.random_deviation = deviation_of(random_folds(members.groups, spec.k, spec.seed), members, set, spec.k);
    count_folds(report, set, assignment.folds, spec.k, labels, groups);
    return assignment;
}

namespace {

/// The groups of the records of a list.
std::unordered_set<std::size_t> groups_of(const std::vector<std::int32_t>& list,
                                          const std::vector<std::size_t>& groups) {
    std::unordered_set<std::size_t> found;
    for (const std::int32_t n : list) found.insert(groups[static_cast<std::size_t>(n)]);
    return found;
}

void drop_groups(std::vector<std::int32_t>& list, const std::vector<std::size_t>& groups,
                 const std::unordered_set<std::size_t>& dropped) {
    std::erase_if(list, [&](std::int32_t n) { return dropped.contains(groups[static_cast<std::size_t>(n)]); });
}

/// No group may be in two of the lists: trained on and tested on.
void require_one_role(const FoldLists& lists, const std::vector<std::size_t>& groups, const Catalogue& catalogue) {
    std::unordered_map<std::size_t, int> role_of;
    const auto check = [&](const std::vector<std::int32_t>& list, int role) {
        for (const std::int32_t n : list)
            if (role_of.try_emplace(groups[static_cast<std::size_t>(n)], role).first->second != role)
                throw std::logic_error(fmt::format("the group of record {} is in two lists of fold {}",
                                                   catalogue.records[static_cast<std::size_t>(n)].path, lists.fold));
    };
    check(lists.train, 0);
    check(lists.test, 1);
    if (!lists.is_leaky) check(lists.validation, 2);
}

}  // namespace

FoldLists make_fold_lists(const Catalogue& catalogue, const LabelSet& set, const std::vector<int>& folds,
                          const JobSpec& spec, const std::string& data_digest) {
    const bool is_next = spec.folds.validation == "next";
    if (is_next && spec.folds.k < 3)
        throw InputError(fmt::format(
            "folds.k is {}: with validation next nothing is left for training, folds.k >= 3 is needed", spec.folds.k));
    if (folds.size() != catalogue.records.size()) throw std::logic_error("folds of another catalogue");
    FoldLists lists;
    lists.label_set = set;
    lists.data_digest = data_digest;
    lists.fold = spec.fold;
    lists.is_leaky = !is_next;
    lists.record_count = static_cast<std::int64_t>(folds.size());
    lists.class_count = static_cast<std::int64_t>(set.classes.size());
    lists.labels = label_matrix(catalogue, set);
    const std::int64_t validation = is_next ? (spec.fold + 1) % spec.folds.k : spec.fold;
    for (std::size_t n = 0; n < folds.size(); ++n) {
        if (folds[n] < 0) continue;
        const auto index = static_cast<std::int32_t>(n);
        if (folds[n] == spec.fold) lists.test.push_back(index);
        if (folds[n] == validation) lists.validation.push_back(index);
        if (folds[n] != spec.fold && folds[n] != validation) lists.train.push_back(index);
    }
    const auto groups = record_groups(catalogue);
    if (spec.folds.assign == "source_out" || spec.folds.assign == "column") {
        const auto tested = groups_of(lists.test, groups);
        if (is_next) drop_groups(lists.validation, groups, tested);
        drop_groups(lists.train, groups, tested);
        drop_groups(lists.train, groups, groups_of(lists.validation, groups));
    }
    for (const auto& [name, list] :
         {std::pair{"train", &lists.train}, {"validation", &lists.validation}, {"test", &lists.test}})
        if (list->empty())
            throw InputError(fmt::format("fold {} of {} has no record for {}: use fewer folds or more records",
                                         spec.fold, spec.folds.k, name));
    for (const std::size_t group : groups) lists.groups.push_back(static_cast<std::int32_t>(group));
    if (spec.folds.assign != "study") require_one_role(lists, groups, catalogue);
    return lists;
}

}  // namespace leadsweep

// Which record belongs to which fold, and the three record lists of one tested fold.
// From the catalogue alone: no files, no clock; the seed is an argument (design.md, section 5, "Folds").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shared/ecg/catalogue.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/fold_lists.hpp"
#include "shared/job/job_spec.hpp"

namespace leadsweep {

/// Why a record is in no fold.
enum class LeftOut { kNo, kUnusable, kNoDiagnosis, kMissingLead };

/// For each record of the catalogue whether it takes part in training and testing with these leads.
/// Records without any diagnosis are no negatives: they are left out.
std::vector<LeftOut> left_out_records(const Catalogue& catalogue, const std::vector<std::string>& leads);

/// Labels of all N records as the K classes of the set: u8 [N, K], row-major.
std::vector<std::uint8_t> label_matrix(const Catalogue& catalogue, const LabelSet& set);

/// Group of each record, numbered from 0 in order of first appearance: records of one patient, or with equal signal
/// digests, also in a chain. A record without both is a group of its own.
std::vector<std::size_t> record_groups(const Catalogue& catalogue);

/// What one assignment of records to folds looks like, for people.
struct FoldReport {
    struct Fold {
        std::size_t records = 0;
        std::size_t groups = 0;
        std::vector<std::size_t> positives;  ///< [K]
    };
    std::vector<Fold> folds;
    std::vector<std::string> class_abbreviations;        ///< [K]
    std::vector<std::string> classes_without_positives;  ///< in no fold at all
    std::vector<std::string> classes_missing_in_a_fold;  ///< in some folds, not in all
    std::size_t groups = 0;                              ///< among the records in folds
    std::size_t split_groups = 0;  ///< groups with records in several folds: patients leak (`study` only)
    std::size_t records_without_patient = 0;
    std::size_t unusable = 0;
    std::size_t without_diagnosis = 0;
    std::size_t without_lead = 0;
};

struct FoldAssignment {
    std::vector<int> folds;  ///< [N], 0 ... k-1, or -1 for records that are left out
    FoldReport report;
};

/// Assigns all records that take part. `stratified`: groups stay whole; `study`: as published, records one by one.
/// Throws InputError where there are fewer groups (study: members of every combination) than folds, or no record at
/// all.
FoldAssignment assign_folds(const Catalogue& catalogue, const LabelSet& set, const FoldsSpec& folds,
                            const std::vector<std::string>& leads = standard_lead_names());

/// The lists of the tested fold `spec.fold`. `next`: fold + 1 validates, the rest trains. `tested`: the tested fold
/// validates too, marked leaky. Throws InputError where nothing is left for training or a list would be empty,
/// std::logic_error where a group of a `stratified` assignment got two roles.
FoldLists make_fold_lists(const Catalogue& catalogue, const LabelSet& set, const std::vector<int>& folds,
                          const JobSpec& spec, const std::string& data_digest);

/// Grouped iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011, on groups): fold of each group.
/// `labels`: u8 [n, K] of the records, `groups`: [n] group of each record, numbered 0 ... without gaps.
/// Deterministic for a seed, on any machine: integers only. Throws InputError where groups are fewer than folds.
std::vector<int> stratify_groups(std::span<const std::uint8_t> labels, std::size_t class_count,
                                 std::span<const std::size_t> groups, std::int64_t fold_count, std::int64_t seed);

/// The published study's folds: scikit-learn's StratifiedKFold(n_splits, shuffle=True, random_state=seed) over the
/// label combinations, bit for bit. `combinations`: one text a record. Throws InputError where no combination has k
/// members.
std::vector<int> study_folds(const std::vector<std::string>& combinations, std::int64_t fold_count, std::int64_t seed);

}  // namespace leadsweep

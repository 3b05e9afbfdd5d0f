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
enum class LeftOut { kNo, kUnusable, kNoDiagnosis, kMissingLead, kLowRate, kNoFold };

/// For each record of the catalogue whether it takes part in training and testing: it can be read, can give all of
/// data.leads, was published at data.min_native_hz or more and above twice data.band_pass_hz, has a diagnosis (records
/// without any are no negatives), and a fold where folds.assign is `column`.
std::vector<LeftOut> left_out_records(const Catalogue& catalogue, const DataSpec& data, const FoldsSpec& folds);

/// Labels of all N records as the K classes of the set: u8 [N, K], row-major.
std::vector<std::uint8_t> label_matrix(const Catalogue& catalogue, const LabelSet& set);

/// Group of each record, numbered from 0 in order of first appearance: records of one patient, or with equal signal
/// digests, also in a chain. A record without both is a group of its own.
std::vector<std::size_t> record_groups(const Catalogue& catalogue);

/// The class that folds share out worst, of those with as many positives as there are folds.
struct ClassDeviation {
    std::string class_abbreviation;  ///< "" where no class has enough positives
    double share = 0;                ///< largest |positives of a fold - even share| / even share
};

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
    std::size_t split_groups = 0;                        ///< groups with records in several folds
    std::vector<std::string> fold_names;                 ///< databases or values of the column; else empty
    ClassDeviation deviation;                            ///< of this assignment
    ClassDeviation random_deviation;                     ///< of groups dealt out at random, with the same seed
    std::size_t records_without_patient = 0;
    std::size_t unusable = 0;
    std::size_t without_diagnosis = 0;
    std::size_t without_lead = 0;
    std::size_t below_min_rate = 0;
    std::size_t without_fold = 0;
};

struct FoldAssignment {
    std::vector<int> folds;  ///< [N], 0 ... k-1, or -1 for records that are left out
    FoldReport report;
};

/// Assigns all records that take part. `stratified`: groups stay whole; `study`: as published, records one by one;
/// `source_out`: a fold is a database, in the order of their names; `column`: a fold is a value of data.table.fold, in
/// the order of numbers or words. Throws InputError where there are fewer groups (study: members of every combination)
/// than folds, where k is not the number of databases or values, or where no record is left.
FoldAssignment assign_folds(const Catalogue& catalogue, const LabelSet& set, const FoldsSpec& folds,
                            const DataSpec& data = {});

/// The lists of the tested fold `spec.fold`. `next`: fold + 1 validates, the rest trains. `tested`: the tested fold
/// validates too, marked leaky. Where folds do not keep groups whole (`source_out`, `column`), a group belongs to the
/// tested fold before the validating one, and to that before training: its other records are left out. `study` leaves
/// them in, as published. Throws InputError where nothing is left for training or a list would be empty,
/// std::logic_error where a group got two roles but in `study`.
FoldLists make_fold_lists(const Catalogue& catalogue, const LabelSet& set, const std::vector<int>& folds,
                          const JobSpec& spec, const std::string& data_digest);

/// Grouped iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011, on groups): fold of each group.
/// `labels`: u8 [n, K] of the records, `groups`: [n] group of each record, numbered 0 ... without gaps.
/// Deterministic for a seed, on any machine: integers only. Throws InputError where groups are fewer than folds.
std::vector<int> stratify_groups(std::span<const std::uint8_t> labels, std::size_t class_count,
                                 std::span<const std::size_t> groups, std::int64_t fold_count, std::int64_t seed);

/// Groups dealt out at random, as many to each fold: fold of each record. What stratification is compared with.
std::vector<int> random_folds(std::span<const std::size_t> groups, std::int64_t fold_count, std::int64_t seed);

/// The published study's folds: scikit-learn's StratifiedKFold(n_splits, shuffle=True, random_state=seed) over the
/// label combinations, bit for bit. `combinations`: one text a record. Throws InputError where no combination has k
/// members.
std::vector<int> study_folds(const std::vector<std::string>& combinations, std::int64_t fold_count, std::int64_t seed);

}  // namespace leadsweep

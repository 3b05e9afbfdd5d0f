// What one fold is trained, validated and tested on: the file an Assign message names.
//
// File: safetensors. Tensors `train`, `validation`, `test`: i32 [n], indices into the catalogue's records (= rows of
// the pack). `labels`: u8 [N, K], 1 where record n carries class k of the label set, for all N records of the
// catalogue. `groups`: i32 [N], equal for records of one patient; may be missing. Metadata: "label_set" (its name), "classes" (label_set_text), "data_digest", "fold", "is_leaky" ("1" where
// the tested fold steers training).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/ecg/classes.hpp"

namespace leadsweep {

struct FoldLists {
    LabelSet label_set;
    std::string data_digest;
    std::int64_t fold = 0;
    bool is_leaky = false;
    std::vector<std::int32_t> train;
    std::vector<std::int32_t> validation;
    std::vector<std::int32_t> test;
    std::int64_t record_count = 0;     ///< N
    std::int64_t class_count = 0;      ///< K
    std::vector<std::uint8_t> labels;  ///< [N, K], row-major
    /// [N], equal for records that must not be split: of one patient, or with one signal. Empty where it is not known;
    /// not part of digest_of(): nothing that is trained or tested depends on it.
    std::vector<std::int32_t> groups;
};

/// Digest of the three lists, their labels and, where a user gave them, the classes: the `lists_digest` of a job's
/// identity.
std::string digest_of(const FoldLists& lists);

/// Writes the file durably and returns the digest of its bytes. Throws FileError.
std::string save_fold_lists(const FoldLists& lists, const std::string& path);
/// Throws FileError, or InputError where the file is no such file.
FoldLists load_fold_lists(const std::string& path);

}  // namespace leadsweep

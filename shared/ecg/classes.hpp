// Label sets: the classes a network is trained on, and the groups of classes that are scored as one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leadsweep {

struct DiagnosisClass {
    std::string code;  ///< SNOMED CT, or planted-<lead>; "a|b" for a class that stands for several codes
    std::string abbreviation;
    std::string name;
};

/// Classes in the order of a network's outputs, and scored groups: each a list of indices into `classes`. A group is
/// positive if any of its classes is; its output is the OR of the binary and the mean of the scalar outputs
/// (PhysioNet Challenge 2021, evaluate_model.py).
struct LabelSet {
    std::string name;
    std::vector<DiagnosisClass> classes;
    std::vector<std::vector<std::size_t>> groups;

    /// The class of a record's code; a class "a|b" is found by "a" and by "b".
    std::optional<std::size_t> find(std::string_view code) const;
    /// "713427006|59118001" for a group of two, the code itself for one.
    std::string group_code(std::size_t group) const;
    std::string group_abbreviation(std::size_t group) const;
};

/// challenge2021: the 30 scored classes, codes sorted as strings, in 26 groups.
/// challenge2021_groups: the 26 groups as classes of their own.
/// synthetic: the 30, then planted-<lead> for I, II, V1 ... V6 (each a group of its own).
/// Throws InputError naming the known sets.
const LabelSet& label_set(std::string_view name);

/// A user's classes, set name "file". CSV with the columns code, abbreviation, name and, where classes are scored as
/// one, merge: rows with the same word there form a group. Several codes of one class are separated by |. Throws
/// InputError naming `file` and the row: a column that is missing, a code that occurs twice, no class at all.
LabelSet label_set_from_csv(const std::string& text, const std::string& file);

/// The whole set as text and back, for files that must not depend on another: a JSON object {"name", "classes": [[code,
/// abbreviation, name]], "groups": [[index]]}. Throws InputError.
std::string label_set_text(const LabelSet& set);
LabelSet label_set_from_text(const std::string& text);

}  // namespace leadsweep

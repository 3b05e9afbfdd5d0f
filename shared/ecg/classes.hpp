// Label sets: the classes a network is trained on, and the groups of classes that are scored as one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leadsweep {

struct DiagnosisClass {
    std::string code;  ///< SNOMED CT, or planted-<lead>
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

    std::optional<std::size_t> find(std::string_view code) const;
    /// "713427006|59118001" for a group of two, the code itself for one.
    std::string group_code(std::size_t group) const;
    std::string group_abbreviation(std::size_t group) const;
};

/// challenge2021: the 30 scored classes, codes sorted as strings, in 26 groups.
/// synthetic: these 30, then planted-<lead> for I, II, V1 ... V6 (each a group of its own).
/// Throws InputError naming the known sets.
const LabelSet& label_set(std::string_view name);

}  // namespace leadsweep

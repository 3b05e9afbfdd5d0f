// Can a lead-importance map be believed? Whether folds agree on what is special about a class, against what classes
// drawn at random would give. No I/O; randomness by a seed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace leadsweep {

/// What one fold (or seed) says: class -> importance of each lead [R]. All vectors have one length. A class that was
/// not explained there is left out.
using FoldMap = std::map<std::string, std::vector<double>>;

struct MapBelief {
    std::int64_t folds = 0;  ///< in which the class was explained
    /// Mean over pairs of folds of Spearman's rank correlation, each map less the mean map over that fold's classes:
    /// what is common to all classes makes no map stable. Missing below two folds or two classes, or where a map is
    /// flat.
    std::optional<double> stability;
    /// Share of random draws of one class from each fold that are at least as stable, (1 + count) / (1 + draws).
    std::optional<double> p;
    /// The same, adjusted by Holm over the classes that have one.
    std::optional<double> p_adjusted;
};

inline constexpr std::int64_t kNullDraws = 999;

/// Each draw permutes the classes within every fold and computes every class's stability anew; a class is compared
/// with the draws at its own place. The smallest p is 1 / (draws + 1). A function of the arguments alone.
std::map<std::string, MapBelief> believe(std::span<const FoldMap> folds, std::uint64_t seed = 1,
                                         std::int64_t draws = kNullDraws);

/// A class's maps beside those of networks that learnt nothing.
struct RandomComparison {
    std::int64_t models = 0;  ///< networks with random weights that have a map of the class
    double stability = 0;     ///< as MapBelief's
    double similarity = 0;    ///< mean over the models of their mean correlation with the folds' maps
    double most_similar = 0;  ///< the largest of them
    double p = 1;  ///< share of models as close to the folds as these to each other, (1 + count) / (1 + models)
};

/// For each class with a stability and a map of any random model. All maps are centred as by believe().
std::map<std::string, RandomComparison> compare_with_random(std::span<const FoldMap> folds,
                                                            std::span<const FoldMap> random_models);

/// Spearman's rank correlation with mean ranks for ties; nothing where one side does not vary or there are fewer than
/// two values. Both sides have one length.
std::optional<double> spearman(std::span<const double> a, std::span<const double> b);

}  // namespace leadsweep

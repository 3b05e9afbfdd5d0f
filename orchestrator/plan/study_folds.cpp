#include <algorithm>
#include <random>
#include <unordered_map>

#include <fmt/format.h>

#include "orchestrator/plan/folds.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// Uniform in 0 ... maximum as numpy's legacy generator draws it: masked 32-bit words, rejected while too large
/// (random_interval in numpy/random/src/distributions/distributions.c).
std::uint32_t masked_draw(std::mt19937& generator, std::uint32_t maximum) {
    if (maximum == 0) return 0;
    std::uint32_t mask = maximum;
    for (const unsigned shift : {1U, 2U, 4U, 8U, 16U}) mask |= mask >> shift;
    while (true) {
        const auto drawn = static_cast<std::uint32_t>(generator()) & mask;
        if (drawn <= maximum) return drawn;
    }
}

/// numpy.random.RandomState.shuffle: Fisher-Yates from the end.
void numpy_shuffle(std::mt19937& generator, std::vector<int>& values) {
    for (std::size_t i = values.size(); i-- > 1;)
        std::swap(values[i], values[masked_draw(generator, static_cast<std::uint32_t>(i))]);
}

}  // namespace

std::vector<int> study_folds(const std::vector<std::string>& combinations, std::int64_t fold_count, std::int64_t seed) {
    // Classes are numbered by first appearance, as sklearn/model_selection/_split.py does.
    std::unordered_map<std::string, std::size_t> class_of;
    std::vector<std::size_t> encoded;
    std::vector<std::size_t> counts;
    for (const auto& combination : combinations) {
        const auto [entry, is_new] = class_of.try_emplace(combination, counts.size());
        if (is_new) counts.push_back(0);
        ++counts[entry->second];
        encoded.push_back(entry->second);
    }
    const auto k = static_cast<std::size_t>(fold_count);
    std::size_t largest = 0;
    for (const std::size_t count : counts) largest = std::max(largest, count);
    if (largest < k)
        throw InputError(
            fmt::format("folds.k is {}, but no combination of labels has more than {} records: use fewer folds, or "
                        "folds.assign: stratified",
                        k, largest));

    // allocation[fold][class]: class counts of every k-th element, from `fold` on, of the sorted list.
    std::vector<std::vector<std::size_t>> allocation(k, std::vector<std::size_t>(counts.size(), 0));
    std::size_t position = 0;
    for (std::size_t c = 0; c < counts.size(); ++c)
        for (std::size_t i = 0; i < counts[c]; ++i) ++allocation[position++ % k][c];

    std::vector<std::vector<std::size_t>> members(counts.size());
    for (std::size_t i = 0; i < encoded.size(); ++i) members[encoded[i]].push_back(i);
    std::mt19937 generator(static_cast<std::uint32_t>(seed));
    std::vector<int> folds(encoded.size(), -1);
    for (std::size_t c = 0; c < counts.size(); ++c) {
        std::vector<int> folds_of_class;
        for (std::size_t f = 0; f < k; ++f)
            folds_of_class.insert(folds_of_class.end(), allocation[f][c], static_cast<int>(f));
        numpy_shuffle(generator, folds_of_class);
        for (std::size_t i = 0; i < members[c].size(); ++i) folds[members[c][i]] = folds_of_class[i];
    }
    return folds;
}

}  // namespace leadsweep

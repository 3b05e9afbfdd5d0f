#include "shared/metrics/challenge_score.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "shared/metrics/challenge_weights.hpp"

namespace leadsweep {
namespace {

constexpr std::string_view kSinusRhythm = "426783006";

/// Positive groups of one record, as indices into kChallengeGroupCodes.
struct Positives {
    std::array<std::size_t, kChallengeGroupCount> index{};
    std::size_t count = 0;
};

/// For each of the 26 groups its place among the groups of `set`.
std::optional<std::array<std::size_t, kChallengeGroupCount>> places_in(const LabelSet& set) {
    std::array<std::size_t, kChallengeGroupCount> places{};
    for (std::size_t official = 0; official < kChallengeGroupCount; ++official) {
        std::size_t group = 0;
        while (group < set.groups.size() && set.group_code(group) != kChallengeGroupCodes[official]) ++group;
        if (group == set.groups.size()) return std::nullopt;
        places[official] = group;
    }
    return places;
}

Positives positives_of(std::span<const std::uint8_t> row, const std::array<std::size_t, kChallengeGroupCount>& places) {
    Positives positives;
    for (std::size_t k = 0; k < kChallengeGroupCount; ++k)
        if (row[places[k]] != 0) positives.index[positives.count++] = k;
    return positives;
}

double reward_of(const Positives& labels, const Positives& outputs) {
    double reward = 0;
    std::size_t shared = 0;
    for (std::size_t j = 0; j < labels.count; ++j) {
        for (std::size_t k = 0; k < outputs.count; ++k) {
            reward += kChallengeWeights[labels.index[j]][outputs.index[k]];
            shared += labels.index[j] == outputs.index[k] ? 1 : 0;
        }
    }
    return reward / static_cast<double>(std::max<std::size_t>(labels.count + outputs.count - shared, 1));
}

}  // namespace

std::optional<double> challenge_score(const LabelSet& set, std::span<const std::uint8_t> labels,
                                      std::span<const std::uint8_t> outputs) {
    const std::size_t width = set.groups.size();
    if (labels.size() != outputs.size() || width == 0 || labels.size() % width != 0)
        throw std::invalid_argument("labels and outputs are not [N, groups]");
    const auto places = places_in(set);
    if (!places || labels.empty()) return std::nullopt;
    Positives inactive;
    inactive.count = 1;
    inactive.index[0] =
        static_cast<std::size_t>(std::find(kChallengeGroupCodes.begin(), kChallengeGroupCodes.end(), kSinusRhythm) -
                                 kChallengeGroupCodes.begin());
    double observed_score = 0;
    double correct_score = 0;
    double inactive_score = 0;
    for (std::size_t offset = 0; offset < labels.size(); offset += width) {
        const Positives truth = positives_of(labels.subspan(offset, width), *places);
        observed_score += reward_of(truth, positives_of(outputs.subspan(offset, width), *places));
        correct_score += reward_of(truth, truth);
        inactive_score += reward_of(truth, inactive);
    }
    if (correct_score == inactive_score) return 0.0;
    return (observed_score - inactive_score) / (correct_score - inactive_score);
}

}  // namespace leadsweep

#include <algorithm>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "orchestrator/plan/folds.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine and with every standard library.
class SplitMix {
public:
    explicit SplitMix(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31U);
    }
    /// Uniform in 0 ... bound - 1, without bias.
    std::uint64_t below(std::uint64_t bound) {
        const std::uint64_t rejected = (~bound + 1) % bound;  // 2^64 mod bound
        std::uint64_t drawn = next();
        while (drawn < rejected) drawn = next();
        return drawn % bound;
    }

private:
    std::uint64_t state_;
};

/// State of the iteration. What a fold still wants is kept times the number of folds, so that it stays an integer.
class Stratifier {
public:
    Stratifier(std::span<const std::uint8_t> labels, std::size_t class_count, std::span<const std::size_t> groups,
               std::size_t group_count, std::size_t fold_count, std::int64_t seed)
        : classes_(class_count),
          folds_(fold_count),
          random_(static_cast<std::uint64_t>(seed)),
          sizes_(group_count, 0),
          counts_(group_count * class_count, 0),
          remaining_(class_count, 0),
          fold_of_(group_count, -1) {
        for (std::size_t n = 0; n < groups.size(); ++n) {
            ++sizes_[groups[n]];
            for (std::size_t c = 0; c < classes_; ++c) counts_[groups[n] * classes_ + c] += labels[n * classes_ + c];
        }
        std::vector<std::int64_t> totals(class_count, 0);
        for (std::size_t g = 0; g < group_count; ++g)
            for (std::size_t c = 0; c < classes_; ++c) {
                totals[c] += count(g, c);
                remaining_[c] += count(g, c);
            }
        wanted_records_.assign(folds_, static_cast<std::int64_t>(groups.size()));
        for (std::size_t f = 0; f < folds_; ++f) wanted_.insert(wanted_.end(), totals.begin(), totals.end());
        order_.resize(group_count);
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        for (std::size_t i = group_count; i-- > 1;) std::swap(order_[i], order_[random_.below(i + 1)]);
    }

    std::vector<int> run() {
        while (const auto rarest = rarest_class()) distribute(*rarest);
        distribute(std::nullopt);
        return fold_of_;
    }

private:
    std::int64_t count(std::size_t group, std::size_t c) const { return counts_[group * classes_ + c]; }

    std::optional<std::size_t> rarest_class() const {
        std::optional<std::size_t> rarest;
        for (std::size_t c = 0; c < classes_; ++c)
            if (remaining_[c] > 0 && (!rarest || remaining_[c] < remaining_[*rarest])) rarest = c;
        return rarest;
    }

    /// Gives away all groups left that have the class (or all left at all), the heaviest first: a large group given
    /// late finds no fold that still has room for it.
    void distribute(std::optional<std::size_t> c) {
        std::vector<std::size_t> chosen;
        for (const std::size_t g : order_)
            if (fold_of_[g] < 0 && (!c || count(g, *c) > 0)) chosen.push_back(g);
        std::stable_sort(chosen.begin(), chosen.end(), [&](std::size_t a, std::size_t b) {
            return c && count(a, *c) != count(b, *c) ? count(a, *c) > count(b, *c) : sizes_[a] > sizes_[b];
        });
        for (const std::size_t g : chosen) give(g, neediest_fold(c));
    }

    std::size_t neediest_fold(std::optional<std::size_t> c) {
        std::vector<std::size_t> best;
        for (std::size_t f = 0; f < folds_; ++f) {
            const int order = best.empty() ? 1 : compare(f, best[0], c);
            if (order > 0) best.clear();
            if (order >= 0) best.push_back(f);
        }
        return best.size() == 1 ? best[0] : best[random_.below(best.size())];
    }

    /// > 0 where fold a wants the class more than fold b, or wants it as much and more records.
    int compare(std::size_t a, std::size_t b, std::optional<std::size_t> c) const {
        const auto sign = [](std::int64_t x, std::int64_t y) { return x > y ? 1 : x < y ? -1 : 0; };
        const int by_class = c ? sign(wanted_[a * classes_ + *c], wanted_[b * classes_ + *c]) : 0;
        return by_class != 0 ? by_class : sign(wanted_records_[a], wanted_records_[b]);
    }

    void give(std::size_t group, std::size_t fold) {
        fold_of_[group] = static_cast<int>(fold);
        const auto k = static_cast<std::int64_t>(folds_);
        wanted_records_[fold] -= k * sizes_[group];
        for (std::size_t c = 0; c < classes_; ++c) {
            wanted_[fold * classes_ + c] -= k * count(group, c);
            remaining_[c] -= count(group, c);
        }
    }

    std::size_t classes_;
    std::size_t folds_;
    SplitMix random_;
    std::vector<std::int64_t> sizes_;           ///< [group] records
    std::vector<std::int64_t> counts_;          ///< [group, class] positive records
    std::vector<std::int64_t> remaining_;       ///< [class] positives in groups without a fold
    std::vector<std::int64_t> wanted_;          ///< [fold, class]
    std::vector<std::int64_t> wanted_records_;  ///< [fold]
    std::vector<std::size_t> order_;            ///< groups, shuffled once
    std::vector<int> fold_of_;                  ///< [group]
};

}  // namespace

std::vector<int> stratify_groups(std::span<const std::uint8_t> labels, std::size_t class_count,
                                 std::span<const std::size_t> groups, std::int64_t fold_count, std::int64_t seed) {
    const std::size_t group_count = groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
    if (group_count < static_cast<std::size_t>(fold_count))
        throw InputError(
            fmt::format("folds.k is {}, but the records form only {} groups that must stay whole: use fewer folds",
                        fold_count, group_count));
    return Stratifier(labels, class_count, groups, group_count, static_cast<std::size_t>(fold_count), seed).run();
}

std::vector<int> random_folds(std::span<const std::size_t> groups, std::int64_t fold_count, std::int64_t seed) {
    const std::size_t group_count = groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
    std::vector<int> fold_of(group_count);
    for (std::size_t g = 0; g < group_count; ++g)
        fold_of[g] = static_cast<int>(g % static_cast<std::size_t>(fold_count));
    SplitMix random(static_cast<std::uint64_t>(seed));
    for (std::size_t i = group_count; i-- > 1;) std::swap(fold_of[i], fold_of[random.below(i + 1)]);
    std::vector<int> folds;
    for (const std::size_t group : groups) folds.push_back(fold_of[group]);
    return folds;
}

}  // namespace leadsweep

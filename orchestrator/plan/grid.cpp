#include "orchestrator/plan/grid.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/plan/spec_fields.hpp"
#include "orchestrator/plan/validate.hpp"
#include "shared/core/errors.hpp"
#include "shared/job/schema.hpp"

namespace leadsweep {
namespace {

constexpr std::size_t kShownProblems = 50;
/// Origin of a point that `axes` and `zip` made; others hold the index of their entry of `include`.
constexpr std::size_t kFromAxes = static_cast<std::size_t>(-1);

/// A point is the ids of its values, one for each slot.
using Point = std::vector<ValueId>;

/// A key that any rule of the sweep names, with every value it takes anywhere. All other keys are the same in all jobs.
struct Slot {
    std::string key;
    std::size_t field = 0;
    std::vector<nlohmann::json> values;  ///< [0] is that of the base
    std::map<nlohmann::json, ValueId> ids;

    Slot(std::string name, std::size_t index, const nlohmann::json& base_value)
        : key(std::move(name)), field(index), values{base_value}, ids{{base_value, 0}} {}

    ValueId id_of(const nlohmann::json& value) {
        const auto [entry, is_new] = ids.try_emplace(value, static_cast<ValueId>(values.size()));
        if (is_new) values.push_back(value);
        return entry->second;
    }
};

/// An axis with keys as slots and values as ids.
struct CompiledAxis {
    std::vector<std::size_t> slots;
    std::vector<std::vector<ValueId>> points;
};

/// Axes that are multiplied, the last one fastest.
struct Product {
    std::vector<CompiledAxis> axes;
    bool has_all_folds = false;
};

struct CompiledCondition {
    std::size_t slot;
    std::vector<ValueId> ids;
};

struct CompiledRule {
    std::vector<CompiledCondition> conditions;
    std::vector<std::pair<std::size_t, ValueId>> settings;
    std::size_t matches = 0;

    bool is_met_by(const Point& point) const {
        return std::all_of(conditions.begin(), conditions.end(), [&](const CompiledCondition& condition) {
            return std::find(condition.ids.begin(), condition.ids.end(), point[condition.slot]) != condition.ids.end();
        });
    }
};

/// Problems of the same words and places are told once, with the number of points they are true of.
class ProblemList {
public:
    void add(const std::string& text) {
        const auto [entry, is_new] = counts_.try_emplace(text, 0);
        if (is_new) order_.push_back(text);
        ++entry->second;
    }
    void throw_if_any() const {
        std::vector<std::string> texts;
        for (const auto& text : order_) {
            if (texts.size() == kShownProblems) {
                texts.push_back(fmt::format("... and {} more", order_.size() - kShownProblems));
                break;
            }
            const std::size_t count = counts_.at(text);
            texts.push_back(count == 1 ? text : fmt::format("{} ({} points)", text, count));
        }
        if (!texts.empty()) throw InputError(texts);
    }

private:
    std::map<std::string, std::size_t> counts_;
    std::vector<std::string> order_;
};

class GridMaker {
public:
    explicit GridMaker(const SweepSpec& sweep) : sweep_(sweep) {
        for (const Setting& setting : sweep.base) fields_.set(SpecFields::index_of(setting.key), setting.value);
        find_slots();
        for (const Exclusion& exclusion : sweep.exclusions)
            exclusions_.push_back({compile(exclusion.conditions), {}, 0});
        for (const WhenRule& rule : sweep.rules) {
            rules_.push_back({compile(rule.conditions), {}, 0});
            for (const Setting& setting : rule.settings) {
                const std::size_t slot = slot_of_.at(setting.key);
                rules_.back().settings.emplace_back(slot, slots_[slot].id_of(setting.value));
            }
        }
    }

    Grid make() {
        const Product product = compile(sweep_.axes);
        std::size_t most = 1;
        for (const CompiledAxis& axis : product.axes) most *= axis.points.size();
        ids_.reserve(most * slots_.size());
        by_hash_.reserve(most);
        for_each_point(product, [&](Point& point) {
            bool is_excluded = false;
            for (CompiledRule& exclusion : exclusions_) {
                const bool is_met = exclusion.is_met_by(point);
                exclusion.matches += is_met ? 1 : 0;
                is_excluded = is_excluded || is_met;
            }
            if (!is_excluded) add(point, kFromAxes);
        });
        for (std::size_t i = 0; i < sweep_.inclusions.size(); ++i)
            for_each_point(compile(sweep_.inclusions[i].axes), [&](Point& point) { add(point, i); });
        if (origins_.empty() && !sweep_.exclusions.empty())
            problems_.add(fmt::format("{}: every point is excluded, the sweep has no job", sweep_.exclusions[0].place));
        problems_.throw_if_any();
        return {make_table(), notes()};
    }

private:
    void add_slot(const std::string& key) {
        if (!slot_of_.try_emplace(key, slots_.size()).second) return;
        const std::size_t field = SpecFields::index_of(key);
        slots_.emplace_back(key, field, fields_.get(field));
        // Where a job runs does not make it another experiment.
        is_identity_.push_back(!key.starts_with("resources."));
    }

    void find_slots() {
        add_slot("fold");
        add_slot("folds.k");
        for (const Axis& axis : sweep_.axes)
            for (const auto& key : axis.keys) add_slot(key);
        for (const Inclusion& inclusion : sweep_.inclusions)
            for (const Axis& axis : inclusion.axes) add_slot(axis.keys.front());
        for (const Exclusion& exclusion : sweep_.exclusions)
            for (const auto& condition : exclusion.conditions) add_slot(condition.key);
        for (const WhenRule& rule : sweep_.rules) {
            for (const auto& condition : rule.conditions) add_slot(condition.key);
            for (const auto& setting : rule.settings) add_slot(setting.key);
        }
        applied_.assign(slots_.size(), 0);
    }

    std::vector<CompiledCondition> compile(const std::vector<Condition>& conditions) {
        std::vector<CompiledCondition> compiled;
        for (const Condition& condition : conditions) {
            const std::size_t slot = slot_of_.at(condition.key);
            compiled.push_back({slot, {}});
            for (const auto& value : condition.values) compiled.back().ids.push_back(slots_[slot].id_of(value));
        }
        return compiled;
    }

    /// The largest folds.k of a point made from `axes`.
    std::int64_t most_folds(const std::vector<Axis>& axes) const {
        for (const Axis& axis : axes)
            for (std::size_t i = 0; i < axis.keys.size(); ++i) {
                if (axis.keys[i] != "folds.k") continue;
                std::int64_t most = 0;
                for (const auto& point : axis.points) most = std::max(most, point[i].get<std::int64_t>());
                return most;
            }
        return number_of(slot_of_.at("folds.k"), 0);
    }

    Product compile(const std::vector<Axis>& axes) {
        Product product;
        for (const Axis& axis : axes) {
            CompiledAxis& made = product.axes.emplace_back();
            for (const auto& key : axis.keys) made.slots.push_back(slot_of_.at(key));
            for (const auto& point : axis.points) {
                auto& ids = made.points.emplace_back();
                for (std::size_t i = 0; i < point.size(); ++i) ids.push_back(slots_[made.slots[i]].id_of(point[i]));
            }
            if (!axis.is_all_folds) continue;
            product.has_all_folds = true;
            for (std::int64_t fold = 0; fold < most_folds(axes); ++fold)
                made.points.push_back({slots_[made.slots[0]].id_of(fold)});
        }
        return product;
    }

    template <class Action>
    void for_each_point(const Product& product, Action&& action) {
        const auto& axes = product.axes;
        const std::size_t fold = slot_of_.at("fold");
        const std::size_t k = slot_of_.at("folds.k");
        std::vector<std::size_t> counters(axes.size(), 0);
        Point point;
        while (true) {
            point.assign(slots_.size(), 0);
            for (std::size_t a = 0; a < axes.size(); ++a)
                for (std::size_t i = 0; i < axes[a].slots.size(); ++i)
                    point[axes[a].slots[i]] = axes[a].points[counters[a]][i];
            // Where folds.k is an axis, `fold: all` runs to the largest k and ends early for the others.
            if (!product.has_all_folds || number_of(fold, point[fold]) < number_of(k, point[k])) action(point);
            std::size_t a = axes.size();
            while (a > 0 && ++counters[a - 1] == axes[a - 1].points.size()) counters[--a] = 0;
            if (a == 0) return;
        }
    }

    std::int64_t number_of(std::size_t slot, ValueId id) const { return slots_[slot].values[id].get<std::int64_t>(); }

    void add(Point& point, std::size_t origin) {
        const Point written = point;
        for (CompiledRule& rule : rules_) {
            if (!rule.is_met_by(written)) continue;
            ++rule.matches;
            for (const auto& [slot, id] : rule.settings) point[slot] = id;
        }
        for (std::size_t slot = 0; slot < point.size(); ++slot)
            if (point[slot] != applied_[slot]) {
                fields_.set(slots_[slot].field, slots_[slot].values[point[slot]]);
                applied_[slot] = point[slot];
            }
        for (const PointProblem& problem : problems_of(fields_.spec())) add_impossible(problem, written, point, origin);
        check_duplicate(point, origin);
        ids_.insert(ids_.end(), point.begin(), point.end());
        origins_.push_back(origin);
    }

    /// The slots with values of their keys' own types (a rate written as 500 is 500.0), and the points.
    SpecTable make_table() {
        std::vector<SpecSlot> slots;
        for (const Slot& slot : slots_) {
            SpecSlot& made = slots.emplace_back(SpecSlot{slot.field, {}});
            for (const auto& value : slot.values) {
                fields_.set(slot.field, value);
                made.values.push_back(fields_.get(slot.field));
            }
            fields_.set(slot.field, slot.values.front());
        }
        return {fields_.spec(), std::move(slots), std::move(ids_)};
    }

    Point point_of_job(std::size_t job) const {
        const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(job * slots_.size());
        return {first, first + static_cast<std::ptrdiff_t>(slots_.size())};
    }

    bool is_same_experiment(std::size_t job, const Point& point) const {
        const ValueId* const ids = ids_.data() + job * slots_.size();
        for (std::size_t slot = 0; slot < point.size(); ++slot)
            if (is_identity_[slot] && ids[slot] != point[slot]) return false;
        return true;
    }

    void check_duplicate(const Point& point, std::size_t origin) {
        std::uint64_t hash = 1469598103934665603ULL;  // FNV-1a
        for (std::size_t slot = 0; slot < point.size(); ++slot)
            if (is_identity_[slot]) hash = (hash ^ point[slot]) * 1099511628211ULL;
        const auto [first, last] = by_hash_.equal_range(hash);
        for (auto other = first; other != last; ++other)
            if (is_same_experiment(other->second, point)) {
                add_duplicate(point, origin, other->second);
                return;
            }
        by_hash_.emplace(hash, origins_.size());
    }

    void add_duplicate(const Point& point, std::size_t origin, std::size_t other) {
        std::string values;
        for (std::size_t slot = 0; slot < point.size(); ++slot)
            if (slots_[slot].values.size() > 1 && slots_[slot].key != "fold")
                values += fmt::format("{}{} {}", values.empty() ? "" : ", ", slots_[slot].key,
                                      slots_[slot].values[point[slot]].dump());
        const Point earlier = point_of_job(other);
        const bool is_only_resources = earlier != point;
        problems_.add(fmt::format("{}: duplicate point ({}), the same as at {}{}", place_of_point(point, origin),
                                  values, place_of_point(earlier, origins_[other]),
                                  is_only_resources ? ": resources alone make no other experiment" : ""));
    }

    void add_impossible(const PointProblem& problem, const Point& written, const Point& point, std::size_t origin) {
        std::string place;
        std::string others;
        for (const auto& key : problem.keys) {
            const std::string found = place_of_value(key, written, point, origin);
            if (found.empty()) continue;
            if (place.empty())
                place = found;
            else
                others += fmt::format("{}{} at {}", others.empty() ? "" : ", ", key, found);
        }
        problems_.add(fmt::format("{}: {}{}", place.empty() ? sweep_.file : place, problem.text,
                                  others.empty() ? "" : fmt::format(" ({})", others)));
    }

    /// Where the value of `key` in this point was written; "" for a default.
    std::string place_of_value(const std::string& key, const Point& written, const Point& point,
                               std::size_t origin) const {
        for (std::size_t r = rules_.size(); r-- > 0;)
            for (const Setting& setting : sweep_.rules[r].settings)
                if (setting.key == key && rules_[r].is_met_by(written)) return setting.place;
        const auto& axes = origin == kFromAxes ? sweep_.axes : sweep_.inclusions[origin].axes;
        for (const Axis& axis : axes) {
            const auto found = std::find(axis.keys.begin(), axis.keys.end(), key);
            if (found != axis.keys.end())
                return place_on_axis(axis, static_cast<std::size_t>(found - axis.keys.begin()), point);
        }
        const auto base =
            std::find_if(sweep_.base.begin(), sweep_.base.end(), [&](const auto& s) { return s.key == key; });
        return base == sweep_.base.end() ? std::string{} : base->place;
    }

    std::string place_on_axis(const Axis& axis, std::size_t key_index, const Point& point) const {
        const std::size_t slot = slot_of_.at(axis.keys[key_index]);
        for (std::size_t i = 0; i < axis.points.size(); ++i)
            if (axis.points[i][key_index] == slots_[slot].values[point[slot]]) return axis.places[i];
        return axis.place;
    }

    std::string place_of_point(const Point& point, std::size_t origin) const {
        if (origin != kFromAxes) return sweep_.inclusions[origin].place;
        return sweep_.axes.empty() ? sweep_.file : place_on_axis(sweep_.axes.back(), 0, point);
    }

    /// Rules that match nothing.
    std::vector<std::string> notes() const {
        std::vector<std::string> notes;
        for (std::size_t i = 0; i < exclusions_.size(); ++i)
            if (exclusions_[i].matches == 0)
                notes.push_back(sweep_.exclusions[i].place + ": exclude matches no point");
        for (std::size_t i = 0; i < rules_.size(); ++i)
            if (rules_[i].matches == 0) notes.push_back(sweep_.rules[i].place + ": when matches no point");
        for (const Axis& axis : sweep_.axes)
            if (std::find(axis.keys.begin(), axis.keys.end(), "fold") != axis.keys.end()) return notes;
        notes.push_back(sweep_.file +
                              ": fold is no axis, so one fold only is tested: write `fold: all` under axes for all");
        return notes;
    }

    const SweepSpec& sweep_;
    SpecFields fields_;  ///< the base, then each point in turn
    std::vector<Slot> slots_;
    std::map<std::string, std::size_t> slot_of_;
    std::vector<bool> is_identity_;  ///< [slot]
    std::vector<CompiledRule> exclusions_;
    std::vector<CompiledRule> rules_;
    Point applied_;             ///< what fields_ holds now
    std::vector<ValueId> ids_;  ///< the points of all jobs after `when`, one after the other
    std::vector<std::size_t> origins_;
    std::unordered_multimap<std::uint64_t, std::size_t> by_hash_;
    ProblemList problems_;
};

}  // namespace

Grid expand(const SweepSpec& sweep) {
    return GridMaker(sweep).make();
}

}  // namespace leadsweep

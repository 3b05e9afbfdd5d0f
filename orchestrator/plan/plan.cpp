#include "orchestrator/plan/plan.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/plan/catalogue_source.hpp"
#include "orchestrator/plan/grid.hpp"
#include "orchestrator/plan/label_table.hpp"
#include "orchestrator/plan/plan_notes.hpp"
#include "orchestrator/plan/spec_fields.hpp"
#include "shared/core/errors.hpp"
#include "shared/ecg/leads.hpp"
#include "shared/job/pack_key.hpp"

namespace leadsweep {
namespace {

class PlanMaker {
public:
    PlanMaker(const SweepSpec& sweep, const CatalogueProvider& provider) : sweep_(sweep), provider_(provider) {
        plan_.sweep_name = sweep.name;
    }

    Plan make() {
        Grid grid = expand(sweep_);
        plan_.notes = std::move(grid.notes);
        plan_.specs = std::move(grid.jobs);
        plan_.jobs.reserve(plan_.specs.size());
        SpecCursor cursor(plan_.specs);
        for (std::size_t job = 0; job < plan_.specs.size(); ++job) {
            cursor.seek(job);
            add_job(job, cursor);
        }
        if (!problems_.empty()) throw InputError(problems_);
        count_axes();
        return std::move(plan_);
    }

private:
    /// Runs a step that depends on the records once for each `name`; its problems are told once, with their place.
    template <class Step>
    std::optional<std::size_t> once(std::unordered_map<std::string, std::optional<std::size_t>>& known,
                                    const std::string& name, const std::string& key, Step&& step) {
        const auto [entry, is_new] = known.try_emplace(name, std::nullopt);
        if (!is_new) return entry->second;
        try {
            return known[name] = step();
        } catch (const InputError& error) {
            for (const auto& problem : error.problems()) {
                const std::string text = fmt::format("{}: {}", sweep_.place_of(key), problem);
                if (std::find(problems_.begin(), problems_.end(), text) == problems_.end()) problems_.push_back(text);
            }
            return std::nullopt;
        }
    }

    /// Indices that jobs share which differ in nothing that folds and packs are made from.
    struct Shared {
        std::uint32_t data;
        std::uint32_t lists;
        std::uint32_t pack;
    };

    void add_job(std::size_t job, const SpecCursor& cursor) {
        const std::optional<Shared> shared = shared_of(job, cursor.spec());
        if (!shared) return;
        const JobDigests digests =
            digests_of(cursor.text(), {plan_.data[shared->data].data_digest, plan_.lists_digests[shared->lists]});
        const auto [group, is_new] =
            group_of_.try_emplace(digests.group, static_cast<std::uint32_t>(plan_.groups.size()));
        if (is_new) plan_.groups.push_back(digests.group);
        plan_.jobs.push_back(
            {digests.point, digests.train_key, digests.key, group->second, shared->lists, shared->pack});
    }

    std::optional<Shared> shared_of(std::size_t job, const JobSpec& spec) {
        const auto ids = plan_.specs.ids(job);
        std::vector<ValueId> own;
        for (const std::size_t slot : shared_slots_of(plan_.specs)) own.push_back(ids[slot]);
        const auto [known, is_new] = shared_.try_emplace(std::move(own));
        if (is_new) known->second = make_shared(spec);
        return known->second;
    }

    /// Slots of the keys that records, folds and packs are made from.
    const std::vector<std::size_t>& shared_slots_of(const SpecTable& specs) {
        if (shared_slots_) return *shared_slots_;
        shared_slots_.emplace();
        for (std::size_t slot = 0; slot < specs.slots().size(); ++slot) {
            const std::string& path = job_schema()[specs.slots()[slot].key].path;
            if (path.starts_with("data.") || path.starts_with("fold") || path == "sampling_hz")
                shared_slots_->push_back(slot);
        }
        return *shared_slots_;
    }

    std::optional<Shared> make_shared(const JobSpec& spec) {
        const DataSpec& d = spec.data;
        const auto data =
            once(data_of_, records_name(spec), d.synthetic.patients > 0 ? "data.synthetic.patients" : "data.records",
                 [&] { return add_data(d); });
        if (!data) return std::nullopt;
        const FoldsSpec& f = spec.folds;
        const std::string folds_name =
            fmt::format("{} {} {} {} {} {} {} {} {} {}", *data, f.k, f.assign, f.seed, d.labels, d.label_file,
                        d.min_native_hz, d.derive_leads, fmt::join(d.band_pass_hz, " "), fmt::join(d.leads, " "));
        const auto folds = once(folds_of_, folds_name, "folds.k", [&] { return add_folds(*data, spec); });
        if (!folds) return std::nullopt;
        const std::string lists_name = fmt::format("{} {} {}", *folds, f.validation, spec.fold);
        const auto lists = once(lists_of_, lists_name, "folds.k", [&] { return add_lists(*data, *folds, spec); });
        if (!lists) return std::nullopt;
        const std::string pack = pack_key(spec, plan_.data[*data].data_digest);
        const auto [place, is_new] = pack_of_.try_emplace(pack, plan_.packs.size());
        if (is_new) plan_.packs.push_back({pack, *data, spec});
        return Shared{static_cast<std::uint32_t>(*data), static_cast<std::uint32_t>(*lists),
                      static_cast<std::uint32_t>(place->second)};
    }

    /// Text that is equal for jobs with the same records and table. Of the keys below data only those that work on
    /// records later are left out: a key that comes to be starts out as one that matters.
    std::string records_name(const JobSpec& spec) {
        fields_.assign(spec);
        std::string name;
        for (const std::size_t index : record_keys_) name += fields_.get(index).dump() + '\n';
        return name;
    }

    static std::vector<std::size_t> record_keys() {
        const std::set<std::string> later = {
            "data.labels",   "data.label_file",   "data.min_native_hz", "data.window_s",     "data.windows",
            "data.stride_s", "data.pooling",      "data.missing",       "data.band_pass_hz", "data.normalize",
            "data.leads",    "data.derive_leads", "data.layout",        "data.pack_type"};
        std::vector<std::size_t> indices;
        for (const auto& key : job_schema())
            if (key.path.starts_with("data.") && !later.contains(key.path))
                indices.push_back(SpecFields::index_of(key.path));
        return indices;
    }

    std::size_t add_data(const DataSpec& data) {
        auto& surveyed = surveyed_[source_of(data)];
        if (!surveyed) {
            surveyed = provider_(data);
            for (auto& note : record_notes(*surveyed)) add_note(note);
        }
        auto catalogue = surveyed;
        if (!data.table.file.empty()) {
            auto changed = std::make_shared<Catalogue>(*surveyed);
            const TableReport report = apply_table(*changed, data.table, data.records, sweep_.folder);
            for (auto& note : table_notes(report, changed->records.size())) add_note(note);
            catalogue = std::move(changed);
        }
        plan_.data.push_back({data, catalogue, digest_of(*catalogue)});
        return plan_.data.size() - 1;
    }

    std::size_t add_folds(std::size_t data, const JobSpec& spec) {
        const Catalogue& catalogue = *plan_.data[data].catalogue;
        if (spec.data.derive_leads == "none") require_leads(catalogue, spec.data.leads);
        auto classes = std::make_shared<const LabelSet>(label_set_of(spec.data, sweep_.folder));
        for (auto& note : label_notes(catalogue, *classes)) add_note(note);
        FoldAssignment made = assign_folds(catalogue, *classes, spec.folds, spec.data);
        plan_.folds.push_back({data, spec.folds, spec.data, classes, std::move(made.folds), std::move(made.report)});
        for (auto& note : fold_notes(plan_.folds.back().report, spec)) add_note(note);
        return plan_.folds.size() - 1;
    }

    void require_leads(const Catalogue& catalogue, const std::vector<std::string>& leads) const {
        for (const auto& lead : leads) {
            const bool is_there =
                std::any_of(catalogue.records.begin(), catalogue.records.end(),
                            [&](const CatalogueRecord& record) { return gives_leads(record.leads, {lead}, false); });
            if (!is_there) throw InputError(fmt::format("data.leads: no record has lead {}", lead));
        }
    }

    std::size_t add_lists(std::size_t data, std::size_t folds, const JobSpec& spec) {
        const PlannedData& planned = plan_.data[data];
        const PlannedFolds& assigned = plan_.folds[folds];
        FoldLists lists =
            make_fold_lists(*planned.catalogue, *assigned.label_set, assigned.fold_of, spec, planned.data_digest);
        if (lists.is_leaky) add_note("folds.validation tested: the tested fold steers training, results are leaky");
        if (const std::size_t dropped = dropped_records(assigned, lists); dropped > 0)
            add_note(
                fmt::format("fold {}: {} records share a patient or a signal with the tested or the validating "
                            "fold and are not used",
                            spec.fold, dropped));
        plan_.lists_digests.push_back(digest_of(lists));
        plan_.lists.push_back(std::move(lists));
        return plan_.lists.size() - 1;
    }

    void add_note(const std::string& note) {
        if (std::find(plan_.notes.begin(), plan_.notes.end(), note) == plan_.notes.end()) plan_.notes.push_back(note);
    }

    void count_axes() {
        const auto& slots = plan_.specs.slots();
        for (const Axis& axis : sweep_.axes) {
            std::vector<std::size_t> own;
            for (const auto& key : axis.keys)
                own.push_back(static_cast<std::size_t>(
                    std::find_if(slots.begin(), slots.end(),
                                 [&](const SpecSlot& slot) { return slot.key == SpecFields::index_of(key); }) -
                    slots.begin()));
            AxisCount& count = plan_.axes.emplace_back(AxisCount{axis.keys, {}});
            std::map<std::vector<ValueId>, std::size_t> position;
            std::vector<ValueId> ids(own.size());
            for (std::size_t job = 0; job < plan_.specs.size(); ++job) {
                for (std::size_t i = 0; i < own.size(); ++i) ids[i] = plan_.specs.ids(job)[own[i]];
                const auto [entry, is_new] = position.try_emplace(ids, count.values.size());
                if (is_new) {
                    std::string value;
                    for (std::size_t i = 0; i < own.size(); ++i)
                        value += (i == 0 ? "" : " + ") + shown(slots[own[i]].values[ids[i]]);
                    count.values.emplace_back(value, 0);
                }
                ++count.values[entry->second].second;
            }
        }
    }

    static std::string shown(const nlohmann::json& value) {
        if (value.is_string()) return value.get<std::string>();
        return value.is_number() ? fmt::format("{}", value.get<double>()) : value.dump();
    }

    const SweepSpec& sweep_;
    const CatalogueProvider& provider_;
    Plan plan_;
    SpecFields fields_;  ///< to read single keys of one job after the other
    const std::vector<std::size_t> record_keys_ = record_keys();
    std::vector<std::string> problems_;
    std::unordered_map<std::string, std::shared_ptr<const Catalogue>> surveyed_;
    std::unordered_map<Digest, std::uint32_t, DigestHash> group_of_;
    std::optional<std::vector<std::size_t>> shared_slots_;
    std::map<std::vector<ValueId>, std::optional<Shared>> shared_;
    std::unordered_map<std::string, std::size_t> pack_of_;
    std::unordered_map<std::string, std::optional<std::size_t>> data_of_;
    std::unordered_map<std::string, std::optional<std::size_t>> folds_of_;
    std::unordered_map<std::string, std::optional<std::size_t>> lists_of_;
};

}  // namespace

JobKeys Plan::keys(std::size_t job) const {
    const PlannedJob& planned = jobs[job];
    return {hex_of(planned.point), hex_of(groups[planned.group]), hex_of(planned.train_key), hex_of(planned.key)};
}

std::string Plan::label(std::size_t job) const {
    std::string label;
    for (const AxisCount& axis : axes)
        for (const std::string& key : axis.keys) {
            const nlohmann::json value = specs.value(job, key);
            label += fmt::format("{}{} {}", label.empty() ? "" : ", ", key,
                                 value.is_string()         ? value.get<std::string>()
                                 : value.is_number_float() ? fmt::format("{:g}", value.get<double>())
                                                           : value.dump());
        }
    return label.empty() ? fmt::format("fold {}", specs[job].fold) : label;
}

Digest Plan::digest() const {
    std::string text = hex_of(specs.digest());
    for (const PlannedJob& job : jobs) text.append(reinterpret_cast<const char*>(job.key.data()), job.key.size());
    return sha256_bytes(text);
}

Plan make_plan(const SweepSpec& sweep, const CatalogueProvider& provider) {
    return PlanMaker(sweep, provider).make();
}

}  // namespace leadsweep

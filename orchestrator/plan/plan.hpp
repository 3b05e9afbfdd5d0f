// The whole plan of a sweep: its jobs with their identities, and the record lists of every fold they need.
// Puts grid, catalogue, table and folds together; whoever calls supplies the catalogues (a worker surveys them).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/plan/folds.hpp"
#include "orchestrator/plan/spec_table.hpp"
#include "orchestrator/plan/sweep_file.hpp"
#include "shared/core/digest.hpp"
#include "shared/ecg/catalogue.hpp"
#include "shared/job/fold_lists.hpp"
#include "shared/job/job_spec.hpp"
#include "shared/job/key.hpp"

namespace leadsweep {

/// A fresh catalogue of the records that `data` names (data.records or data.synthetic), as surveyed: the table is
/// applied by make_plan. Called once for each different source_of(data).
using CatalogueProvider = std::function<std::shared_ptr<const Catalogue>(const DataSpec& data)>;

/// Records with labels and groups as the jobs see them: what a pack and data_digest are made from.
struct PlannedData {
    DataSpec data;  ///< of the first job that uses it; source and table are the same for all
    std::shared_ptr<const Catalogue> catalogue;  ///< table applied
    std::string data_digest;
};

/// One assignment of these records to folds, shared by all jobs with the same fold settings, label set and leads.
struct PlannedFolds {
    std::size_t data = 0;  ///< index into Plan::data
    FoldsSpec spec;
    DataSpec selection;  ///< which records take part: its leads, min_native_hz and so on
    std::shared_ptr<const LabelSet> label_set;
    std::vector<int> fold_of;  ///< of each catalogue record; -1: in no fold
    FoldReport report;
};

/// Prepared records that jobs share (shared/job/pack_key.hpp).
struct PlannedPack {
    std::string key;
    std::size_t data = 0;  ///< index into Plan::data
    JobSpec spec;          ///< of the first job that uses it
};

/// What sets a job apart, in few bytes: a sweep may have a million. Its spec is Plan::specs[index].
struct PlannedJob {
    Digest point;
    Digest train_key;
    Digest key;
    std::uint32_t group = 0;  ///< index into Plan::groups
    std::uint32_t lists = 0;  ///< index into Plan::lists
    std::uint32_t pack = 0;   ///< index into Plan::packs
};

/// How many jobs have each value of an axis.
struct AxisCount {
    std::vector<std::string> keys;  ///< one, or those that go together
    std::vector<std::pair<std::string, std::size_t>> values;
};

struct Plan {
    std::string sweep_name;
    SpecTable specs;               ///< of all jobs, in file order
    std::vector<PlannedJob> jobs;  ///< the same order
    std::vector<Digest> groups;    ///< configurations: jobs that differ in their fold only
    std::vector<PlannedData> data;
    std::vector<PlannedPack> packs;
    std::vector<PlannedFolds> folds;
    std::vector<FoldLists> lists;            ///< each once
    std::vector<std::string> lists_digests;  ///< of `lists`, same order
    std::vector<AxisCount> axes;
    std::vector<std::string> notes;  ///< for people: what was repaired, left out or looks like a slip

    JobKeys keys(std::size_t job) const;
    /// What sets a job apart from the others: "fold 2, loss bce, sampling_hz 100".
    std::string label(std::size_t job) const;
    /// Of everything that this plan would store about its jobs; equal plans have equal digests.
    Digest digest() const;
};

/// Expands the sweep and assigns records to folds. Throws InputError with all problems of the sweep; a problem of the
/// records carries the place of data.records.
Plan make_plan(const SweepSpec& sweep, const CatalogueProvider& provider);

/// The plan as text for people. `state_of_key`: what the database knows of a job's key ("done", "stale", ...); keys
/// that are not in it are new.
std::string render_plan(const Plan& plan, const std::map<std::string, std::string>& state_of_key = {});

}  // namespace leadsweep

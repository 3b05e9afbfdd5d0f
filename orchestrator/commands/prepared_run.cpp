#include "orchestrator/commands/prepared_run.hpp"

#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/plan/manifest.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/job/pack_key.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

std::string lists_file(const std::string& lists_digest) {
    return fmt::format("lists/{}.safetensors", lists_digest);
}

std::vector<FoldRow> fold_rows(const Plan& plan) {
    std::map<std::size_t, FoldRow> rows;
    for (std::size_t i = 0; i < plan.jobs.size() && rows.size() < plan.lists.size(); ++i) {
        const std::size_t index = plan.jobs[i].lists;
        if (rows.contains(index)) continue;
        const FoldLists& lists = plan.lists[index];
        const JobSpec spec = plan.specs[i];
        rows[index] = {plan.lists_digests[index],
                       lists.data_digest,
                       lists.label_set.name,
                       spec.fold,
                       spec.folds.k,
                       spec.folds.assign,
                       spec.folds.seed,
                       spec.folds.validation,
                       lists.is_leaky,
                       static_cast<std::int64_t>(lists.train.size()),
                       static_cast<std::int64_t>(lists.validation.size()),
                       static_cast<std::int64_t>(lists.test.size()),
                       lists_file(plan.lists_digests[index])};
    }
    std::vector<FoldRow> list;
    for (auto& [index, row] : rows) list.push_back(std::move(row));
    return list;
}

/// Writes what is not there yet and gives the digest of the file's bytes.
std::string ensure_lists_file(const FoldLists& lists, const std::string& path) {
    if (fs::exists(path)) {
        try {
            if (digest_of(load_fold_lists(path)) == digest_of(lists)) return sha256_file(path);
        } catch (const InputError&) {
            // Torn: written anew below.
        }
    }
    return save_fold_lists(lists, path);
}

bool is_to_be_retried(const StoredJob& stored, const std::set<std::string>& retry) {
    if (retry.contains("all")) return true;
    if (stored.state == JobState::kCancelled) return retry.contains("cancelled");
    return stored.last_failure && retry.contains(std::string(to_string(*stored.last_failure)));
}

std::vector<JobId> register_jobs(const Plan& plan, const std::string& yaml, ResultStore& store) {
    const std::string plan_digest = hex_of(plan.digest());
    auto registered = store.registered_jobs(plan.sweep_name, sha256(yaml), plan_digest);
    if (registered && registered->size() == plan.jobs.size()) return *registered;
    std::vector<JobId> ids;
    store.in_transaction([&] {
        const SweepId sweep = store.register_sweep(plan.sweep_name, yaml, sha256(yaml), plan_digest);
        store.record_folds(fold_rows(plan));
        for (const PlannedFolds& folds : plan.folds) store.record_classes(*folds.label_set);
        ids = store.upsert_jobs(sweep, plan.jobs.size(), [&](std::size_t job) {
            return JobRow{plan.keys(job), plan.specs.text(job), plan.lists_digests[plan.jobs[job].lists]};
        });
    });
    return ids;
}

/// Writes the files that workers of these jobs read.
void write_inputs(const Plan& plan, const Places& places, RunWork& work) {
    work.lists.resize(plan.lists.size());
    std::set<std::size_t> used_packs;
    for (const RunJob& job : work.jobs) {
        const PlannedJob& planned = plan.jobs[job.planned];
        used_packs.insert(planned.pack);
        RunLists& lists = work.lists[planned.lists];
        if (!lists.path.empty()) continue;
        lists.path = fmt::format("{}/{}", places.work, lists_file(plan.lists_digests[planned.lists]));
        lists.digest = ensure_lists_file(plan.lists[planned.lists], lists.path);
    }
    for (const PlannedFolds& folds : plan.folds) {
        const std::string manifest = manifest_csv(plan, folds);
        const std::string path = fmt::format("{}/manifests/{}.csv", places.work, sha256(manifest).substr(0, 16));
        if (!fs::exists(path)) write_file_durably(path, manifest);
    }
    work.packs.resize(plan.packs.size());
    std::set<std::string> written;
    for (const std::size_t index : used_packs) {
        const PlannedPack& pack = plan.packs[index];
        const PlannedData& data = plan.data[pack.data];
        const std::string path = fmt::format("{}/catalogues/{}.jsonl", places.work, data.data_digest);
        // Also where it is there: file times may have changed.
        if (written.insert(path).second) save_catalogue(*data.catalogue, path);
        work.packs[index] = {fmt::format("{}/packs/{}", places.scratch, pack.key), path,
                             shard_count(static_cast<std::int64_t>(data.catalogue->records.size()))};
    }
}

}  // namespace

void expect_durations(const Plan& plan, const DurationModel& model, const std::string& device_kind,
                      std::vector<RunJob>& jobs) {
    if (model.is_empty()) return;
    SpecCursor cursor(plan.specs);
    for (RunJob& job : jobs) {
        cursor.seek(job.planned);
        const auto n_train = static_cast<std::int64_t>(plan.lists[plan.jobs[job.planned].lists].train.size());
        const auto estimate = model.estimate(features_of(cursor.spec(), n_train, device_kind));
        if (!estimate) continue;
        job.expected_s = estimate->median_s;
        job.upper_s = estimate->high_s;
    }
}

PreparedRun prepare_run(const Plan& plan, const std::string& yaml, const Places& places, ResultStore& store,
                        const std::set<std::string>& retry, const Shard& shard) {
    PreparedRun run;
    store.requeue_running();
    const std::vector<JobId> ids = register_jobs(plan, yaml, store);
    const std::vector<StoredJob> states = store.load_states(ids);
    const std::vector<bool> is_own = jobs_of_shard(plan, shard);
    for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
        const StoredJob& stored = states[i];
        if (!is_own[i]) {
            ++run.in_other_shards;
            continue;
        }
        if (stored.state == JobState::kFinished) {
            ++run.done_before;
            continue;
        }
        bool is_forgiven = false;
        if (is_terminal(stored.state)) {
            is_forgiven = is_to_be_retried(stored, retry);
            if (!is_forgiven) {
                ++run.failed_before;
                continue;
            }
            store.set_state(ids[i], JobState::kWaiting);
        }
        run.work.jobs.push_back({i, ids[i], is_forgiven ? 0 : stored.attempts_used,
                                 stored.attempts_used > 0 || stored.last_failure.has_value(), 0, 0});
        const Digest& train_key = plan.jobs[i].train_key;
        if (run.work.trained.contains(train_key)) continue;
        if (auto model = store.find_trained_model(hex_of(train_key))) {
            model->path = fmt::format("{}/{}", places.work, model->path);
            run.work.trained.emplace(train_key, std::move(*model));
        }
    }
    write_inputs(plan, places, run.work);
    return run;
}

}  // namespace leadsweep

#include "orchestrator/commands/prepared_run.hpp"

#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/job/pack_key.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

std::vector<JobRow> job_rows(const Plan& plan) {
    std::vector<JobRow> rows;
    rows.reserve(plan.jobs.size());
    for (const PlannedJob& job : plan.jobs)
        rows.push_back({job.keys, to_json(job.spec).dump(), plan.lists_digests[job.lists]});
    return rows;
}

std::string lists_file(const std::string& lists_digest) {
    return fmt::format("lists/{}.safetensors", lists_digest);
}

std::vector<FoldRow> fold_rows(const Plan& plan) {
    std::map<std::size_t, FoldRow> rows;
    for (const PlannedJob& job : plan.jobs) {
        if (rows.contains(job.lists)) continue;
        const FoldLists& lists = plan.lists[job.lists];
        const FoldsSpec& folds = job.spec.folds;
        rows[job.lists] = {plan.lists_digests[job.lists],
                           lists.data_digest,
                           lists.label_set,
                           job.spec.fold,
                           folds.k,
                           folds.assign,
                           folds.seed,
                           folds.validation,
                           lists.is_leaky,
                           static_cast<std::int64_t>(lists.train.size()),
                           static_cast<std::int64_t>(lists.validation.size()),
                           static_cast<std::int64_t>(lists.test.size()),
                           lists_file(plan.lists_digests[job.lists])};
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

}  // namespace

std::string label_of(const JobSpec& spec, const std::vector<AxisCount>& axes) {
    std::string label;
    for (const AxisCount& axis : axes)
        for (const std::string& key : axis.keys) {
            const nlohmann::json value = setting_of(spec, key);
            label += fmt::format("{}{} {}", label.empty() ? "" : ", ", key,
                                 value.is_string()         ? value.get<std::string>()
                                 : value.is_number_float() ? fmt::format("{:g}", value.get<double>())
                                                           : value.dump());
        }
    return label.empty() ? fmt::format("fold {}", spec.fold) : label;
}

PreparedRun prepare_run(const Plan& plan, const std::string& yaml, const Places& places, ResultStore& store,
                        const std::set<std::string>& retry) {
    PreparedRun run;
    store.requeue_running();
    std::vector<JobId> ids;
    store.in_transaction([&] {
        const SweepId sweep = store.register_sweep(plan.sweep_name, yaml, sha256(yaml));
        store.record_folds(fold_rows(plan));
        ids = store.upsert_jobs(sweep, job_rows(plan));
    });
    auto states = store.load_states();
    std::set<std::string> trained;
    for (const auto& [key, stored] : states)
        if (stored.state == JobState::kFinished) trained.insert(stored.train_key);

    std::map<std::string, PackIndex> pack_of;
    std::map<std::size_t, std::string> lists_bytes;
    std::map<std::size_t, std::string> catalogue_of;
    for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
        const PlannedJob& planned = plan.jobs[i];
        const StoredJob& stored = states.at(planned.keys.key);
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
            store.set_state(stored.job, JobState::kWaiting);
        }
        const PlannedData& data = plan.data[planned.data];
        RunJob job;
        job.spec = &planned.spec;
        job.keys = &planned.keys;
        job.id = ids[i];
        job.attempts_used = is_forgiven ? 0 : stored.attempts_used;
        job.has_history = stored.attempts_used > 0 || stored.last_failure.has_value();
        job.lists_path = fmt::format("{}/{}", places.work, lists_file(plan.lists_digests[planned.lists]));
        if (!lists_bytes.contains(planned.lists))
            lists_bytes[planned.lists] = ensure_lists_file(plan.lists[planned.lists], job.lists_path);
        job.lists_digest = lists_bytes[planned.lists];
        if (!catalogue_of.contains(planned.data)) {
            const std::string path = fmt::format("{}/catalogues/{}.jsonl", places.work, data.data_digest);
            save_catalogue(*data.catalogue, path);  // also where it is there: file times may have changed
            catalogue_of[planned.data] = path;
        }
        const std::string pack = pack_key(planned.spec, data.data_digest);
        const auto [place, is_new] = pack_of.try_emplace(pack, run.packs.size());
        if (is_new)
            run.packs.push_back({fmt::format("{}/packs/{}", places.scratch, pack), catalogue_of[planned.data],
                                 shard_count(static_cast<std::int64_t>(data.catalogue->records.size())),
                                 &planned.spec});
        job.pack = place->second;
        if (trained.contains(planned.keys.train_key)) {
            if (const auto model = store.find_trained_model(planned.keys.train_key)) {
                job.model_path = fmt::format("{}/{}", places.work, model->path);
                job.model_digest = model->digest;
            }
        }
        run.jobs.push_back(std::move(job));
    }
    return run;
}

}  // namespace leadsweep

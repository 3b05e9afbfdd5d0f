#include "worker/job_runner.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <new>
#include <set>

#include <fmt/format.h>
#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include "shared/arrays/safetensors.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/fold_lists.hpp"
#include "shared/metrics/evaluate.hpp"
#include "worker/comm/communicator.hpp"
#include "worker/dataset/pack.hpp"
#include "worker/dataset/sampler.hpp"
#include "worker/dataset/windows.hpp"
#include "worker/explain/importance.hpp"
#include "worker/explain/mean_beat.hpp"
#include "worker/job_file.hpp"
#include "worker/model/predict.hpp"
#include "worker/registry.hpp"
#include "worker/train/checkpoint.hpp"
#include "worker/train/process.hpp"
#include "worker/train/trainer.hpp"

namespace leadsweep {
namespace {

constexpr auto kGangPatience = std::chrono::seconds(300);

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A pack as networks see it.
class PackRecords : public RecordSource {
public:
    explicit PackRecords(Pack pack) : pack_(std::move(pack)) {}
    std::int64_t leads() const override { return pack_.leads(); }
    std::int64_t samples() const override { return pack_.samples(); }
    void copy(std::int64_t row, float* out) const override {
        pack_.copy(row, {out, static_cast<std::size_t>(leads() * samples())});
    }
    const Pack& pack() const { return pack_; }

private:
    Pack pack_;
};

/// The attempt as its steps see it.
struct Attempt {
    const Assign& assign;
    Session& session;
    JobSpec spec;
    FoldLists lists;
    PackRecords records;
    FoldLists rows;  ///< the same fold in rows of the pack: what is trained, predicted and explained
    std::unique_ptr<Communicator> communicator;
    std::shared_ptr<Model> model = nullptr;
    JobResult result = {};

    bool is_leader() const { return assign.gang.rank == 0; }
    std::string file(const char* name) const { return fmt::format("{}/{}", assign.attempt_folder, name); }
    void report(const std::string& phase, double fraction) const {
        session.tell(Progress{assign.attempt, phase, 0, 0, fraction, 0, 0});
        if (session.should_stop()) throw JobError(session.stop_reason(), "stopped on request while " + phase);
    }
    void add_artifact(const char* kind, const char* name, const std::string& digest) {
        result.artifacts.push_back(
            {kind, name, digest, static_cast<std::int64_t>(std::filesystem::file_size(file(name)))});
    }
};

FoldLists load_lists(const Assign& assign) {
    if (const auto found = sha256_file(assign.lists_path); found != assign.lists_digest)
        throw InputError(fmt::format("{}: digest {} where {} was expected: the file was changed", assign.lists_path,
                                     found, assign.lists_digest));
    return load_fold_lists(assign.lists_path);
}

std::unique_ptr<Communicator> meet_gang(const Assign& assign, Session& session, const torch::Device& device) {
    if (assign.gang.size == 1) return make_local_communicator();
    if (assign.gang.rank == 0) {
        const auto host = open_gang(device, default_host());
        const MeetingPoint point = host->meeting_point();
        session.tell(RendezvousOffered{assign.attempt, point.address, point.token});
        return host->wait_for_gang(assign.gang.size, kGangPatience);
    }
    const Rendezvous rendezvous = session.wait_for_rendezvous(assign.attempt, kGangPatience);
    return join_gang(device, {rendezvous.address, rendezvous.token}, assign.gang.rank, assign.gang.size, kGangPatience);
}

std::vector<std::string> class_codes(const LabelSet& labels) {
    std::vector<std::string> codes;
    for (const auto& known : labels.classes) codes.push_back(known.code);
    return codes;
}

std::vector<std::uint8_t> labels_of(const FoldLists& lists, const std::vector<std::int32_t>& records) {
    std::vector<std::uint8_t> rows;
    const auto width = static_cast<std::size_t>(lists.class_count);
    for (const std::int32_t record : records) {
        const auto begin = lists.labels.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(record) * width);
        rows.insert(rows.end(), begin, begin + lists.class_count);
    }
    return rows;
}

std::span<const float> as_span(const torch::Tensor& tensor) {
    return {tensor.const_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

/// Weights of an earlier job with the same train_key, where they are whole.
bool take_over_weights(Attempt& attempt, const torch::Device& device) {
    if (attempt.assign.model_path.empty()) return false;
    try {
        const LoadedModel loaded = load_model(attempt.assign.model_path, attempt.assign.model_digest);
        if (loaded.info.spec.sampling_hz != attempt.spec.sampling_hz)
            throw InputError(fmt::format("{}: a network trained at {:g} Hz, for records of {:g} Hz",
                                         attempt.assign.model_path, loaded.info.spec.sampling_hz,
                                         attempt.spec.sampling_hz));
        attempt.model = loaded.model;
    } catch (const Error& error) {
        log::warning("trained weights cannot be used, training anew: {}", error.what());
        return false;
    }
    attempt.model->to(device);
    attempt.result.is_reused = true;
    return true;
}

void train_model(Attempt& attempt, const torch::Device& device) {
    const JobSpec& spec = attempt.spec;
    attempt.model = make_model(spec, attempt.lists.class_count);
    attempt.model->to(device);
    const Sampler sampler(attempt.rows.train, static_cast<std::uint64_t>(spec.seed));
    const TrainData data{attempt.records, attempt.rows, [&](std::int64_t epoch) { return sampler.epoch_order(epoch); }};
    TrainHooks hooks;
    const auto windows = window_counts(attempt.lists.validation, attempt.records.pack());
    hooks.score = [&](std::span<const float> logits, std::span<const std::uint8_t> labels, std::int64_t, std::int64_t) {
        const auto of_records = pool_windows(logits, attempt.lists.class_count, windows, spec.data.pooling);
        const auto truth = pool_labels(labels, attempt.lists.class_count, windows);
        const LabelSet& set = attempt.lists.label_set;
        return EpochScores{macro_auroc(set, truth, of_records), macro_f1(set, truth, of_records)};
    };
    hooks.should_stop = [&] { return attempt.session.should_stop(); };
    hooks.on_progress = [&](const TrainProgress& p) {
        attempt.session.tell(
            Progress{attempt.assign.attempt, p.phase, p.epoch, p.epochs, p.fraction, p.loss, p.records_per_s});
    };
    hooks.on_checkpoint = [&](std::int64_t epochs, const std::string& digest) {
        attempt.session.tell(CheckpointSaved{attempt.assign.attempt, epochs, digest});
    };
    hooks.train_key = attempt.assign.train_key;
    hooks.checkpoint_folder = attempt.assign.attempt_folder;
    hooks.resume_folder = attempt.assign.resume_folder;
    const TrainOutcome outcome = train(*attempt.model, data, spec, *attempt.communicator,
                                       make_train_parts(spec, balanced_weights(attempt.lists)), hooks);
    attempt.result.epochs = outcome.epochs;
    attempt.result.train_seconds = outcome.seconds;
}

void store_model(Attempt& attempt) {
    if (!attempt.is_leader()) return;
    const ModelInfo info{attempt.spec, class_codes(attempt.lists.label_set)};
    attempt.add_artifact("model", "model.safetensors",
                         save_model(*attempt.model, info, attempt.file("model.safetensors")));
}

/// Predictions of records, [records, K].
struct RecordLogits {
    std::vector<float> validation;
    std::vector<float> test;
};

/// Predictions of both lists as an artefact, so that any figure can be computed later without training.
void store_predictions(Attempt& attempt, const RecordLogits& predicted, const std::vector<double>& thresholds) {
    const FoldLists& lists = attempt.lists;
    const auto add = [&](ArrayFile& file, const std::string& split, const std::vector<std::int32_t>& records,
                         const std::vector<float>& logits) {
        const auto count = static_cast<std::int64_t>(records.size());
        file.arrays[split + "_logits"] = NamedArray::of<float>(logits, {count, lists.class_count});
        file.arrays[split + "_records"] = NamedArray::of<std::int32_t>(records, {count});
    };
    ArrayFile file;
    add(file, "validation", lists.validation, predicted.validation);
    add(file, "test", lists.test, predicted.test);
    file.arrays["thresholds"] = NamedArray::of<double>(thresholds, {static_cast<std::int64_t>(thresholds.size())});
    file.metadata = {{"label_set", lists.label_set.name},
                     {"classes", label_set_text(lists.label_set)},
                     {"data_digest", lists.data_digest}};
    attempt.add_artifact("predictions", "predictions.safetensors",
                         save_arrays(file, attempt.file("predictions.safetensors")));
}

/// Groups with both positives and negatives: those whose AUROC exists.
std::int64_t count_classes(const LabelSet& labels, const std::vector<Metric>& metrics) {
    std::set<std::string> groups;
    for (std::size_t group = 0; group < labels.groups.size(); ++group) groups.insert(labels.group_code(group));
    return std::count_if(metrics.begin(), metrics.end(), [&](const Metric& metric) {
        return metric.name == "auroc" && metric.value && groups.contains(metric.class_code);
    });
}

/// Logits [n, K] of the windows `rows`, on every rank.
torch::Tensor predict_windows(Attempt& attempt, Model& folded, const std::vector<std::int32_t>& rows) {
    return predict_shared(folded, attempt.records, rows, *attempt.communicator, kInferenceBatch,
                          [&](double fraction) { attempt.report("testing", fraction); });
}

/// Predictions of records: of their windows, pooled.
std::vector<float> pool_records(const Attempt& attempt, const torch::Tensor& logits,
                                const std::vector<std::int32_t>& records) {
    return pool_windows(as_span(logits), attempt.lists.class_count, window_counts(records, attempt.records.pack()),
                        attempt.spec.data.pooling);
}

/// Returns the logits [n, K] of the tested windows, on every rank.
torch::Tensor test_model(Attempt& attempt, Model& folded) {
    const FoldLists& lists = attempt.lists;
    const auto of_validation_windows = predict_windows(attempt, folded, attempt.rows.validation);
    const auto of_test_windows = predict_windows(attempt, folded, attempt.rows.test);
    if (!attempt.is_leader()) return of_test_windows;
    const RecordLogits predicted{pool_records(attempt, of_validation_windows, lists.validation),
                                 pool_records(attempt, of_test_windows, lists.test)};
    const LabelSet& set = lists.label_set;
    const auto validation_labels = labels_of(lists, lists.validation);
    const auto test_labels = labels_of(lists, lists.test);
    const auto thresholds = tune_thresholds(set, validation_labels, predicted.validation);
    JobResult& result = attempt.result;
    result.metrics = evaluate(set, test_labels, predicted.test, "test", thresholds);
    result.n_classes = count_classes(set, result.metrics);
    const auto of_validation = evaluate(set, validation_labels, predicted.validation, "validation", thresholds);
    result.metrics.insert(result.metrics.end(), of_validation.begin(), of_validation.end());
    result.n_train = static_cast<std::int64_t>(lists.train.size());
    result.n_validation = static_cast<std::int64_t>(lists.validation.size());
    result.n_test = static_cast<std::int64_t>(lists.test.size());
    store_predictions(attempt, predicted, thresholds);
    return of_test_windows;
}

void explain_model(Attempt& attempt, std::shared_ptr<Model> folded, const torch::Tensor& test_logits) {
    const auto explainer = make_explainer(attempt.spec, std::move(folded), attempt.rows.train);
    if (!explainer) return;
    const auto start = std::chrono::steady_clock::now();
    const ExplainSpec& spec = attempt.spec.explain;
    const ExplainPlan plan = plan_explanations(attempt.rows, spec, attempt.spec.seed, as_span(test_logits));
    ExplainHooks hooks;
    hooks.should_stop = [&] { return attempt.session.should_stop(); };
    hooks.on_progress = [&](double fraction) {
        attempt.session.tell(Progress{attempt.assign.attempt, "explaining", 0, 0, fraction, 0, 0});
    };
    const auto explanations = explain_all(*explainer, attempt.records, plan, *attempt.communicator, hooks);
    if (!attempt.is_leader()) return;
    ClassMaps maps =
        aggregate(plan, explanations, {class_codes(attempt.lists.label_set), explainer->rows()}, spec.min_r2);
    add_mean_beats(attempt.records, plan, explanations, *explainer, attempt.spec, maps.arrays);
    attempt.result.lead_importance = std::move(maps.rows);
    attempt.result.metrics.insert(attempt.result.metrics.end(), maps.metrics.begin(), maps.metrics.end());
    for (std::string& note : maps.notes) attempt.result.notes.push_back(std::move(note));
    if (!maps.arrays.arrays.empty())
        attempt.add_artifact("lead_importance", "lead_importance.safetensors",
                             save_arrays(maps.arrays, attempt.file("lead_importance.safetensors")));
    attempt.result.explain_seconds = seconds_since(start);
}

/// The class under which what a job threw is recorded.
Failed failure_of(AttemptId attempt) {
    try {
        throw;
    } catch (const JobError& error) {
        return {attempt, error.failure(), error.what()};
    } catch (const InputError& error) {
        return {attempt, FailureClass::kInvalid, error.what()};
    } catch (const c10::OutOfMemoryError& error) {
        return {attempt, FailureClass::kOomDevice,
                fmt::format("out of device memory: lower train.batch ({})", error.what_without_backtrace())};
    } catch (const std::bad_alloc&) {
        return {attempt, FailureClass::kOomHost, "out of memory: lower train.batch, or run fewer workers on this node"};
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        const bool is_memory = text.find("not enough memory") != std::string::npos;
        return {attempt, is_memory ? FailureClass::kOomHost : FailureClass::kCrashed, text};
    } catch (const std::exception& error) {
        return {attempt, FailureClass::kCrashed, error.what()};
    }
}

}  // namespace

Finished JobRunner::run_job(const Assign& assign) {
    const auto start = std::chrono::steady_clock::now();
    const JobSpec spec = job_spec_from_json(nlohmann::json::parse(assign.spec));
    const torch::Device device = device_;
    session_.tell(Progress{assign.attempt, "loading", 0, 0, 0, 0, 0});
    // What failed can be run again by hand: `leadsweep-worker train job.json`.
    if (assign.gang.rank == 0) write_job_file(assign, fmt::format("{}/{}", assign.attempt_folder, kJobFile));
    FoldLists lists = load_lists(assign);
    Pack pack = Pack::open(assign.pack_folder, spec, lists.record_count);
    FoldLists rows = rows_of(lists, pack);
    Attempt attempt{assign,
                    session_,
                    spec,
                    std::move(lists),
                    PackRecords(std::move(pack)),
                    std::move(rows),
                    meet_gang(assign, session_, device)};
    if (!take_over_weights(attempt, device)) train_model(attempt, device);
    attempt.model->eval();
    store_model(attempt);
    const auto folded = attempt.model->fold();
    const auto test_logits = test_model(attempt, *folded);
    explain_model(attempt, folded, test_logits);
    attempt.communicator->barrier();
    Finished finished{assign.attempt, 0, "", ""};
    if (attempt.is_leader()) {
        finished.result_path = attempt.file("result.cbor");
        finished.result_digest = write_job_result(attempt.result, finished.result_path);
        std::filesystem::remove(attempt.file(kJobFile));
    }
    finished.seconds = seconds_since(start);
    return finished;
}

void JobRunner::run(const Assign& assign) {
    FromWorker fact;
    try {
        fact = run_job(assign);
    } catch (...) {
        Failed failed = failure_of(assign.attempt);
        if (session_.should_stop()) failed.failure = session_.stop_reason();
        log::error("attempt {} {}: {}", assign.attempt.value, to_string(failed.failure), failed.message);
        fact = std::move(failed);
    }
    release_unused_memory();
    session_.tell(fact);
}

std::shared_ptr<const Catalogue> JobRunner::catalogue(const std::string& path) {
    auto& known = catalogues_[path];
    if (!known) known = std::make_shared<const Catalogue>(load_catalogue(path));
    return known;
}

void JobRunner::run(const Prepare& prepare) {
    const auto start = std::chrono::steady_clock::now();
    try {
        const JobSpec spec = job_spec_from_json(nlohmann::json::parse(prepare.spec));
        const ShardReport report =
            write_shard(spec, *catalogue(prepare.catalogue_path), prepare.pack_folder, prepare.shard,
                        [&](std::int64_t done, std::int64_t total) {
                            session_.tell(Progress{prepare.attempt, "preparing", 0, 0,
                                                   static_cast<double>(done) / static_cast<double>(total), 0, 0});
                            if (session_.should_stop())
                                throw JobError(session_.stop_reason(), "stopped on request while preparing");
                        });
        if (report.padded_records + report.missing_samples + report.constant_leads + report.derived_leads > 0)
            log::info("shard {}: {} short records padded, {} missing samples ({}), {} constant leads, {} derived leads",
                      prepare.shard, report.padded_records, report.missing_samples, spec.data.missing,
                      report.constant_leads, report.derived_leads);
        session_.tell(Prepared{prepare.attempt, seconds_since(start)});
    } catch (...) {
        const Failed failed = failure_of(prepare.attempt);
        log::error("shard {}: {}", prepare.shard, failed.message);
        session_.tell(failed);
    }
}

}  // namespace leadsweep

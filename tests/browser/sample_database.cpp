// Writes a database as large as the report must show: 600 jobs with curves, figures of every class, explanations and
// predictions; one with mean beats; and a sweep whose name would be a script if nobody took care. Usage:
// sample_database FILE
#include <cmath>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "orchestrator/store/result_store.hpp"
#include "shared/arrays/safetensors.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"
#include "shared/job/fold_lists.hpp"
#include "shared/job/job_spec.hpp"

namespace {

using namespace leadsweep;

constexpr std::int64_t kFolds = 10;
constexpr std::int64_t kRecords = 400;  ///< of all folds

/// The same number for the same arguments, in [-1, 1].
double noise(std::int64_t a, std::int64_t b, std::int64_t c = 0) {
    return std::sin(static_cast<double>(a * 12989 + b * 78233 + c * 37719));
}

std::vector<JobSpec> make_specs() {
    std::vector<JobSpec> specs;
    for (const double hz : {25.0, 50.0, 75.0, 100.0, 250.0, 500.0})
        for (const char* loss : {"bce", "double_soft_f1"})
            for (const int depth : {4, 6, 8, 10, 12})
                for (std::int64_t fold = 0; fold < kFolds; ++fold) {
                    JobSpec spec;
                    spec.fold = fold;
                    spec.sampling_hz = hz;
                    spec.loss = loss;
                    spec.model.depth = depth;
                    specs.push_back(spec);
                }
    return specs;
}

std::string lists_name(std::int64_t fold) {
    return fmt::format("lists-{}", fold);
}

FoldRow write_lists(const std::string& work, std::int64_t fold) {
    FoldLists lists;
    lists.label_set = label_set("challenge2021");
    lists.fold = fold;
    lists.record_count = kRecords;
    lists.class_count = static_cast<std::int64_t>(label_set("challenge2021").classes.size());
    for (std::int64_t n = 0; n < kRecords; ++n)
        for (std::int64_t k = 0; k < lists.class_count; ++k) lists.labels.push_back(noise(n, k) > 0.8 ? 1 : 0);
    save_fold_lists(lists, work + "/" + lists_name(fold));
    return {
        lists_name(fold), "sample data", "challenge2021", fold, kFolds, "stratified", 42, "next", false, 320, 40, 40,
        lists_name(fold)};
}

Artifact write_predictions(const std::string& folder, const JobSpec& spec) {
    const auto classes = static_cast<std::int64_t>(label_set("challenge2021").classes.size());
    std::vector<std::int32_t> records;
    std::vector<float> logits;
    for (std::int64_t n = spec.fold * 40; n < spec.fold * 40 + 40; ++n) {
        records.push_back(static_cast<std::int32_t>(n));
        for (std::int64_t k = 0; k < classes; ++k)
            logits.push_back(static_cast<float>((noise(n, k) > 0.8 ? 1.5 : -2) + 2 * noise(n, k, 5)));
    }
    ArrayFile file;
    file.arrays["test_logits"] = NamedArray::of<float>(logits, {40, classes});
    file.arrays["test_records"] = NamedArray::of<std::int32_t>(records, {40});
    file.metadata = {{"label_set", "challenge2021"}};
    std::filesystem::create_directories(folder);
    return {"predictions", "predictions.safetensors", save_arrays(file, folder + "/predictions.safetensors"), 1};
}

void add_figures(const JobSpec& spec, std::int64_t job, JobResult& result) {
    const double merit = 0.02 * std::log(spec.sampling_hz / 25) -
                         0.008 * std::pow(std::log(spec.sampling_hz / 100), 2) + (spec.loss == "bce" ? 0 : 0.03) +
                         0.002 * static_cast<double>(spec.model.depth);
    const auto add = [&](const std::string& code, const char* name, double value, std::int64_t positives) {
        result.metrics.push_back({"test", code, name, value, positives});
    };
    const double fold = 0.012 * noise(spec.fold, 1) + 0.006 * noise(job, 2);
    add("", "macro_f1", 0.33 + merit + fold, 300);
    add("", "macro_auroc", 0.82 + merit / 2 + fold / 2, 300);
    add("", "macro_auprc", 0.40 + merit + fold, 300);
    add("", "accuracy", 0.953 + merit / 20 + fold / 20, 300);
    add("", "accuracy_all_negative", 0.951, 300);
    add("", "challenge_score", 0.45 + merit + fold, 300);
    add("", "macro_f1_tuned", 0.36 + merit + fold, 300);
    const LabelSet& set = label_set("challenge2021");
    for (std::size_t group = 0; group < set.groups.size(); ++group) {
        const auto k = static_cast<std::int64_t>(group);
        const auto positives = static_cast<std::int64_t>(4 + 3 * group);
        add(set.group_code(group), "auroc", 0.8 + 0.1 * noise(k, 3) + merit / 2 + 0.01 * noise(job, k), positives);
        add(set.group_code(group), "f1", 0.4 + 0.2 * noise(k, 4) + merit + 0.02 * noise(job, k, 1), positives);
        for (std::size_t lead = 0; lead < kLeadNames.size(); ++lead)
            for (std::int64_t segment = 0; segment < 10; ++segment) {
                const double value = 0.1 * noise(k, static_cast<std::int64_t>(lead)) + 0.02 * noise(job, segment, k);
                result.lead_importance.push_back({set.group_code(group), std::string(kLeadNames[lead]), segment, value,
                                                  std::abs(value), 0.05, 20, 0.6});
            }
    }
}

JobResult make_result(const JobSpec& spec, std::int64_t job) {
    JobResult result;
    result.n_train = 320;
    result.n_validation = 40;
    result.n_test = 40;
    result.n_classes = 26;
    result.train_seconds = 80;
    result.explain_seconds = 30;
    for (std::int64_t epoch = 1; epoch <= 30; ++epoch) {
        const auto e = static_cast<double>(epoch);
        Epoch one;
        one.epoch = epoch;
        one.train_loss = 0.15 + 0.4 * std::exp(-e / 6) + 0.01 * noise(job, epoch);
        one.validation_loss = 0.2 + 0.35 * std::exp(-e / 6) + 0.002 * e + 0.015 * noise(job, epoch, 1);
        one.macro_auroc = 0.85 - 0.3 * std::exp(-e / 5) + 0.01 * noise(job, epoch, 2);
        one.learning_rate = 1e-3;
        result.epochs.push_back(one);
    }
    add_figures(spec, job, result);
    return result;
}

/// P, QRS and T of a lead, in uV at a time from the R peak.
double beat_uv(double time_s, std::size_t lead) {
    const auto wave = [&](double centre_s, double width_s) {
        return std::exp(-std::pow((time_s - centre_s) / width_s, 2));
    };
    const double sign = lead == 3 ? -1 : 1;
    return sign * (90 * wave(-0.16, 0.025) + (600 + 60 * static_cast<double>(lead)) * wave(0, 0.012) -
                   250 * wave(0.035, 0.014) + 220 * wave(0.28, 0.05));
}

/// Mean beats of two classes: one is spoken for by the P wave of V1 and II, the other by a broad QRS of V6.
Artifact write_beats(const std::string& folder) {
    constexpr std::size_t kMoments = 81;
    const double begin_s = -0.3;
    std::vector<float> signal;
    std::vector<float> importance;
    for (std::size_t k = 0; k < 2; ++k)
        for (std::size_t lead = 0; lead < kLeadCount; ++lead)
            for (std::size_t m = 0; m < kMoments; ++m) {
                const double time_s = begin_s + 0.01 * static_cast<double>(m);
                const double strength = k == 0 ? (lead == 6 ? 0.9 : lead == 1 ? 0.5 : -0.1) : (lead == 11 ? 0.8 : 0.05);
                const double centre_s = k == 0 ? -0.16 : 0.02;
                signal.push_back(static_cast<float>(beat_uv(time_s, lead)));
                importance.push_back(static_cast<float>(strength * std::exp(-std::pow((time_s - centre_s) / 0.05, 2))));
            }
    ArrayFile file;
    const auto leads = static_cast<std::int64_t>(kLeadCount);
    file.arrays["beat_signal"] = NamedArray::of<float>(signal, {2, leads, kMoments});
    file.arrays["beat_importance"] = NamedArray::of<float>(importance, {2, leads, kMoments});
    file.arrays["beat_records"] =
        NamedArray::of<std::int32_t>(std::vector<std::int32_t>(2 * kMoments, 20), {2, kMoments});
    file.metadata = {{"class_codes", "164889003;164909002"},
                     {"rows", fmt::format("{}", fmt::join(kLeadNames, ";"))},
                     {"beat_begin_s", "-0.3"},
                     {"beat_step_s", "0.01"},
                     {"beat_unit", "uV"}};
    std::filesystem::create_directories(folder);
    return {"lead_importance", "lead_importance.safetensors",
            save_arrays(file, folder + "/lead_importance.safetensors"), 1};
}

/// Two folds that were explained along the beat.
void add_sweep_of_beats(ResultStore& store, const std::string& work) {
    std::vector<JobRow> rows;
    for (const std::int64_t fold : {0, 1}) {
        JobSpec spec;
        spec.fold = fold;
        spec.explain.align = "beat_time";
        rows.push_back({keys_of(spec, {"sample data", lists_name(fold)}), to_json(spec).dump(), lists_name(fold)});
    }
    const auto jobs = store.upsert_jobs(store.register_sweep("mean_beats", "name: mean_beats\n", "h"), rows);
    const AttemptIds block = store.reserve_attempt_ids(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const AttemptId attempt{block.first.value + i};
        const std::string folder = fmt::format("beats/{}", attempt.value);
        store.record_attempt_started({attempt, jobs[i], "node1", {1}, "cpu", "cpu-0", folder, "worker.log", 0});
        JobResult result;
        for (const char* code : {"164889003", "164909002"})
            for (std::size_t lead = 0; lead < kLeadCount; ++lead)
                for (std::int64_t segment = 0; segment < 15; ++segment)
                    result.lead_importance.push_back({code, std::string(kLeadNames[lead]), segment,
                                                      0.1 * noise(segment, static_cast<std::int64_t>(lead)), 0.1, 0.05,
                                                      20, 0.6});
        result.artifacts.push_back(write_beats(work + "/" + folder));
        store.record_finished(attempt, result, {120, 100});
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: sample_database FILE\n";
        return 2;
    }
    const std::string path = arguments[1];
    const std::string work = path + ".files";
    std::filesystem::create_directories(work);
    ResultStore store = ResultStore::open(path);
    std::vector<FoldRow> folds;
    for (std::int64_t fold = 0; fold < kFolds; ++fold) folds.push_back(write_lists(work, fold));
    const auto specs = make_specs();
    std::vector<JobRow> rows;
    for (const JobSpec& spec : specs) {
        const std::string lists = lists_name(spec.fold);
        rows.push_back({keys_of(spec, {"sample data", lists}), to_json(spec).dump(), lists});
    }
    const SweepId evil =
        store.register_sweep("<script>window.injected=1</script>", "name: </pre><img src=x onerror=alert(1)>", "h");
    store.record_folds(folds);
    store.upsert_jobs(evil, std::vector<JobRow>(rows.begin(), rows.begin() + 20));
    add_sweep_of_beats(store, work);
    const auto jobs =
        store.upsert_jobs(store.register_sweep("rates_and_losses", "name: rates_and_losses\n", "h"), rows);
    const AttemptIds block = store.reserve_attempt_ids(jobs.size());
    for (std::size_t begin = 0; begin < jobs.size(); begin += 50) {
        store.in_transaction([&] {
            for (std::size_t i = begin; i < std::min(begin + 50, jobs.size()); ++i) {
                const AttemptId attempt{block.first.value + i};
                const std::string folder = fmt::format("sample/{}", attempt.value);
                store.record_attempt_started(
                    {attempt, jobs[i], "node1", {1}, i % 7 == 0 ? "cuda" : "cpu", "cpu-0", folder, "worker.log", 0});
                if (i == jobs.size() - 1) {
                    store.record_failed(attempt, FailureClass::kOomDevice, "out of <b>memory</b>", true, {20, 100});
                    continue;
                }
                JobResult result = make_result(specs[i], static_cast<std::int64_t>(i));
                result.artifacts.push_back(write_predictions(work + "/" + folder, specs[i]));
                store.record_finished(attempt, result, {120, 100});
            }
        });
    }
    return 0;
}

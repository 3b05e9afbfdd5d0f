#include "orchestrator/plan/validate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/errors.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"

namespace leadsweep {
namespace {

using Problems = std::vector<PointProblem>;

void check_data(const DataSpec& data, Problems& problems) {
    const bool is_synthetic = data.synthetic.patients > 0;
    if (is_synthetic && !data.records.empty())
        problems.push_back(
            {{"data.records", "data.synthetic.patients"},
             "data.records and data.synthetic are both given: remove one (data.synthetic.patients: 0 reads records)"});
    if (!is_synthetic && data.records.empty())
        problems.push_back({{"data.records", "data.synthetic.patients"},
                            "no records: give data.records (a folder) or data.synthetic.patients"});
    if (data.labels == "synthetic" && !is_synthetic)
        problems.push_back(
            {{"data.labels"}, "data.labels is synthetic, but the records are not: give data.synthetic.patients"});
    if (!data.synthetic.signs.empty() && data.labels != "synthetic" && data.labels != "file")
        problems.push_back({{"data.synthetic.signs", "data.labels"},
                            fmt::format("data.synthetic.signs are given, but data.labels is {}: only the label set "
                                        "synthetic, or one of your own (data.label_file), has a class for them",
                                        data.labels)});
    for (std::size_t i = 0; i < data.synthetic.signs.size(); ++i) {
        const std::string& sign = data.synthetic.signs[i];
        const bool is_electrode = sign == "RA" || sign == "LA" || sign == "LL";
        if (is_electrode && data.labels == "synthetic")
            problems.push_back({{"data.synthetic.signs", "data.labels"},
                                fmt::format("the label set synthetic has no class for a sign of electrode {0}: give a "
                                            "data.label_file with the code planted-{0}",
                                            sign)});
        else if (!is_electrode && !label_set("synthetic").find("planted-" + sign))
            problems.push_back({{"data.synthetic.signs"},
                                fmt::format("no sign can be planted in lead '{}': possible are I, II, V1 ... V6 (the "
                                            "others follow from them) and the electrodes RA, LA, LL",
                                            sign)});
        if (std::find(data.synthetic.signs.begin(), data.synthetic.signs.begin() + static_cast<std::ptrdiff_t>(i),
                      sign) != data.synthetic.signs.begin() + static_cast<std::ptrdiff_t>(i))
            problems.push_back(
                {{"data.synthetic.signs"}, fmt::format("data.synthetic.signs names lead {} twice", sign)});
    }
}

void check_table(const DataSpec& data, Problems& problems) {
    const TableSpec& table = data.table;
    const std::array<std::pair<const char*, const std::string*>, 6> columns{{{"data.table.labels", &table.labels},
                                                                             {"data.table.patient", &table.patient},
                                                                             {"data.table.source", &table.source},
                                                                             {"data.table.fold", &table.fold},
                                                                             {"data.table.age", &table.age},
                                                                             {"data.table.sex", &table.sex}}};
    const auto named =
        std::find_if(columns.begin(), columns.end(), [](const auto& column) { return !column.second->empty(); });
    if (table.file.empty() && named != columns.end())
        problems.push_back({{named->first}, "data.table names a column but no file: give data.table.file"});
    if (table.file.empty()) return;
    if (named == columns.end())
        problems.push_back(
            {{"data.table.file"},
             "data.table.file is given, but no column of it is used: give data.table.labels or data.table.patient"});
    if (table.record.empty())
        problems.push_back(
            {{"data.table.record"}, "data.table.record is empty: name the column with the records' paths"});
    if (data.synthetic.patients > 0)
        problems.push_back({{"data.table.file", "data.synthetic.patients"},
                            "data.table describes records of a folder, but data.synthetic makes them"});
}

void check_labels(const DataSpec& data, Problems& problems) {
    if ((data.labels == "file") == data.label_file.empty())
        problems.push_back({{"data.labels", "data.label_file"},
                            "data.labels: file and data.label_file go together: give both, or neither"});
}

void check_preparation(const JobSpec& spec, Problems& problems) {
    const auto& band = spec.data.band_pass_hz;
    if (!band.empty() && (band.size() != 2 || band[0] >= band[1]))
        problems.push_back({{"data.band_pass_hz"},
                            fmt::format("data.band_pass_hz is [{}]: give two corners, the lower first, or []",
                                        fmt::join(band, ", "))});
    if (spec.data.windows == "strided" && spec.data.stride_s > spec.data.window_s)
        problems.push_back({{"data.stride_s", "data.window_s"},
                            fmt::format("data.stride_s is {}, longer than the window of {} s: what lies between the "
                                        "windows would be seen by none",
                                        spec.data.stride_s, spec.data.window_s)});
}

void check_leads(const std::vector<std::string>& leads, Problems& problems) {
    if (leads.empty()) problems.push_back({{"data.leads"}, "data.leads is empty: name at least one lead"});
    std::array<bool, kLeadCount> is_seen{};
    for (const auto& name : leads) {
        const auto lead = find_lead(name);
        if (!lead)
            problems.push_back(
                {{"data.leads"},
                 fmt::format("data.leads: unknown lead '{}', known are {}", name, fmt::join(kLeadNames, ", "))});
        else if (std::exchange(is_seen[*lead], true))
            problems.push_back({{"data.leads"}, fmt::format("data.leads names lead {} twice", name)});
    }
}

/// Names as YAML gives them are already the standard ones: most jobs of a sweep share one list.
bool are_known_good(const std::vector<std::string>& leads) {
    return std::equal(leads.begin(), leads.end(), kLeadNames.begin(), kLeadNames.end());
}

bool has_lead(const DataSpec& data, std::string_view name) {
    return std::find(data.leads.begin(), data.leads.end(), name) != data.leads.end();
}

void check_explain(const JobSpec& spec, Problems& problems) {
    const ExplainSpec& explain = spec.explain;
    if (explain.method == "none") return;
    if (explain.space == "electrodes") {
        if (!has_lead(spec.data, "I") || !has_lead(spec.data, "II"))
            problems.push_back({{"explain.space", "data.leads"},
                                "explain.space is electrodes, whose potentials follow from leads I and II: data.leads "
                                "must have both"});
        if (spec.data.normalize == "zscore")
            problems.push_back({{"explain.space", "data.normalize"},
                                "explain.space is electrodes, but data.normalize is zscore: leads that were "
                                "standardised one by one do not come from one set of electrodes any more"});
    }
    if (explain.method != "kernel_shap") return;
    const auto rows = static_cast<std::int64_t>(spec.data.leads.size());  // electrodes are at most three less
    const std::int64_t parts =
        (explain.space == "electrodes" ? rows - 3 : rows) * (explain.align == "beats" ? 4 : explain.segments);
    const std::int64_t ends = 1 + (explain.baseline == "background" ? explain.background_records : 1);
    if (parts > 8 && explain.perturbations - ends < 2 * parts)
        problems.push_back(
            {{"explain.perturbations", "explain.segments"},
             fmt::format("explain.perturbations is {}, but kernel_shap needs at least two for each of {} "
                         "parts and {} for the ends",
                         explain.perturbations, parts, ends)});
}

void check_folds(const JobSpec& spec, Problems& problems) {
    if (spec.fold >= spec.folds.k)
        problems.push_back({{"fold", "folds.k"},
                            fmt::format("fold {} does not exist: folds.k is {}, folds are 0 ... {}", spec.fold,
                                        spec.folds.k, spec.folds.k - 1)});
    if (spec.folds.assign == "column" && spec.data.table.fold.empty())
        problems.push_back({{"folds.assign", "data.table.fold"},
                            "folds.assign is column, but no column is named: give data.table.fold"});
    if (spec.folds.k < 3 && spec.folds.validation == "next")
        problems.push_back(
            {{"folds.k", "folds.validation"},
             fmt::format("folds.k is {}: with validation next one fold is tested and one validates, so nothing is left "
                         "for training; folds.k >= 3 is needed",
                         spec.folds.k)});
}

void check_training(const JobSpec& spec, Problems& problems) {
    const TrainSpec& train = spec.train;
    if (train.batch < spec.resources.devices)
        problems.push_back({{"train.batch", "resources.devices"},
                            fmt::format("train.batch is {}, too small to be shared by {} devices", train.batch,
                                        spec.resources.devices)});
    if (train.micro_batch > train.batch)
        problems.push_back({{"train.micro_batch", "train.batch"},
                            fmt::format("train.micro_batch is {}, but a batch has {} records: it must be smaller, or 0",
                                        train.micro_batch, train.batch)});
    if (train.positive_weights != "none" && spec.loss != "bce")
        problems.push_back({{"train.positive_weights", "loss"},
                            fmt::format("train.positive_weights is {}, but loss is {}: only bce has such weights",
                                        train.positive_weights, spec.loss)});
    if (train.optimizer == "adam" && train.weight_decay > 0)
        problems.push_back({{"train.weight_decay", "train.optimizer"},
                            "train.weight_decay is given, but train.optimizer is adam: use adamw, or sgd"});
    if (train.optimizer == "adamw" && train.weight_decay == 0)
        problems.push_back({{"train.optimizer", "train.weight_decay"},
                            "train.optimizer is adamw, but train.weight_decay is 0, which makes it adam: give one "
                            "(0.01 is usual)"});
}

void check_window(const JobSpec& spec, Problems& problems) {
    const std::int64_t samples = spec.window_samples();
    if (samples < 1) {
        problems.push_back(
            {{"data.window_s", "sampling_hz"},
             fmt::format("a window of {} s holds no sample at {} Hz", spec.data.window_s, spec.sampling_hz)});
        return;
    }
    if (spec.explain.method != "none" && spec.explain.segments > samples)
        problems.push_back({{"explain.segments", "data.window_s", "sampling_hz"},
                            fmt::format("explain.segments is {}, but the window has only {} samples ({} s at {} Hz)",
                                        spec.explain.segments, samples, spec.data.window_s, spec.sampling_hz)});
    const bool is_seconds = spec.model.kernel_unit == "seconds";
    for (const double kernel : spec.model.kernels) {
        const double length = is_seconds ? kernel * spec.sampling_hz : kernel;
        if (!is_seconds && kernel != std::floor(kernel))
            problems.push_back(
                {{"model.kernels"}, fmt::format("model.kernels: {} is no whole number of samples", kernel)});
        else if (std::llround(length) < 1)
            problems.push_back(
                {{"model.kernels", "sampling_hz"},
                 fmt::format("model.kernels: {} s is shorter than a sample at {} Hz", kernel, spec.sampling_hz)});
        else if (std::llround(length) > samples)
            problems.push_back(
                {{"model.kernels", "data.window_s", "sampling_hz"},
                 fmt::format("model.kernels: {} {} is longer than the window of {} samples ({} s at {} Hz)", kernel,
                             spec.model.kernel_unit, samples, spec.data.window_s, spec.sampling_hz)});
    }
}

}  // namespace

std::vector<PointProblem> problems_of(const JobSpec& spec) {
    Problems problems;
    check_data(spec.data, problems);
    check_table(spec.data, problems);
    if (!are_known_good(spec.data.leads)) check_leads(spec.data.leads, problems);
    check_labels(spec.data, problems);
    check_preparation(spec, problems);
    check_folds(spec, problems);
    if (spec.model.kernels.empty())
        problems.push_back({{"model.kernels"}, "model.kernels is empty: give at least one length"});
    check_window(spec, problems);
    check_training(spec, problems);
    check_explain(spec, problems);
    return problems;
}

void validate(const JobSpec& spec) {
    std::vector<std::string> texts;
    for (auto& problem : problems_of(spec)) texts.push_back(std::move(problem.text));
    if (!texts.empty()) throw InputError(texts);
}

}  // namespace leadsweep

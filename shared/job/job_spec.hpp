// One job, fully resolved: every setting has a value. Which keys exist, with default, unit and range, is told by
// visit_settings() at the end of this file and nowhere else: parsing, --help, hashes and sweeps/README.md follow it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "shared/ecg/leads.hpp"
#include "shared/job/explain_spec.hpp"
#include "shared/job/key_note.hpp"

namespace leadsweep {

/// Records made by the generator (worker/dataset/synthetic.hpp) instead of read from a folder.
struct SyntheticSpec {
    std::int64_t patients = 0;  ///< 0: read data.records instead
    std::int64_t records_per_patient = 2;
    std::int64_t seed = 1;
    double sampling_hz = 500;
    double duration_s = 10;
    double noise_uv = 20;
    std::vector<std::string>
        signs;  ///< leads that get a planted sign; class planted-<lead> of the label set `synthetic`
    double sign_uv = 200;
};

/// Columns of a CSV file that override what the headers say. An empty column name: taken from the header.
struct TableSpec {
    std::string file;
    std::string record = "path";
    std::string labels;
    std::string patient;
    std::string source;
    std::string fold;
    std::string age;
    std::string sex;
};

struct DataSpec {
    std::string records;
    SyntheticSpec synthetic;
    TableSpec table;
    std::string labels = "challenge2021";
    std::string label_file;
    double min_native_hz = 0;
    double window_s = 10;
    std::string windows = "first";
    double stride_s = 10;
    std::string pooling = "mean";
    std::string missing = "interpolate";
    std::vector<double> band_pass_hz = {};
    std::string normalize = "none";
    std::vector<std::string> leads = standard_lead_names();
    std::string derive_leads = "none";
    std::string layout = "transpose";
    std::string pack_type = "float32";
};

struct FoldsSpec {
    std::int64_t k = 10;
    std::string assign = "stratified";
    std::int64_t seed = 42;
    std::string validation = "next";
};

struct ModelSpec {
    std::string name = "inception";
    std::int64_t depth = 6;
    std::int64_t filters = 32;
    std::int64_t bottleneck = 32;
    std::vector<double> kernels = {40, 20, 10};
    std::string kernel_unit = "samples";
    std::int64_t residual_period = 3;
};

struct TrainSpec {
    std::int64_t epochs = 30;
    std::int64_t batch = 32;
    std::int64_t micro_batch = 0;
    std::string optimizer = "adam";
    double learning_rate = 1e-3;
    double momentum = 0.9;
    double weight_decay = 0;
    double clip_norm = 0;
    std::string positive_weights = "none";
    std::string schedule = "constant";
    std::string monitor = "macro_auroc";
    std::int64_t patience = 5;
    double bn_momentum = 0.01;
    std::string precision = "fp32";
};

struct ResourcesSpec {
    std::int64_t devices = 1;
    std::int64_t max_attempts = 3;
    std::int64_t priority = 0;
    double timeout_s = 0;
    std::string isolation = "none";
    std::int64_t slots_per_device = 1;
    std::string across_nodes = "false";
    std::string data_on_device = "auto";
    std::string cuda_graph = "on";
    std::string autotune = "on";
};

struct JobSpec {
    DataSpec data;
    FoldsSpec folds;
    std::int64_t fold = 0;
    double sampling_hz = 500;
    std::string loss = "bce";
    ModelSpec model;
    TrainSpec train;
    ExplainSpec explain;
    ResourcesSpec resources;
    std::int64_t seed = 1;

    /// Samples of one prepared record: window_s at sampling_hz.
    std::int64_t window_samples() const;
};

/// Calls visitor(KeyNote, field) for every setting of `spec` (const or not), in the order in which they are documented.
template <class Spec, class Visitor>
void visit_settings(Spec& s, Visitor&& v) {
    using K = KeyNote;
    constexpr double kMany = 1e9;
    v(K{"data.records", "", KeyPart::kNone, "folder of WFDB records, searched recursively"}, s.data.records);
    v(K{"data.synthetic.patients", "", KeyPart::kTrain, "generated patients; 0 reads data.records instead", 0, 1e7},
      s.data.synthetic.patients);
    v(K{"data.synthetic.records_per_patient", "", KeyPart::kTrain, "records of each generated patient", 1, 1000},
      s.data.synthetic.records_per_patient);
    v(K{"data.synthetic.seed", "", KeyPart::kTrain, "seed of the generator", 0, kMany}, s.data.synthetic.seed);
    v(K{"data.synthetic.sampling_hz", "Hz", KeyPart::kTrain, "rate of the generated records", 50, 2000},
      s.data.synthetic.sampling_hz);
    v(K{"data.synthetic.duration_s", "s", KeyPart::kTrain, "length of the generated records", 1, 3600},
      s.data.synthetic.duration_s);
    v(K{"data.synthetic.noise_uv", "uV", KeyPart::kTrain, "standard deviation of the added noise", 0, 1000},
      s.data.synthetic.noise_uv);
    v(K{"data.synthetic.signs", "", KeyPart::kTrain, "leads that get a planted sign, for example [V2, V5]"},
      s.data.synthetic.signs);
    v(K{"data.synthetic.sign_uv", "uV", KeyPart::kTrain, "height of a planted sign", 0, 10000},
      s.data.synthetic.sign_uv);
    v(K{"data.table.file", "", KeyPart::kNone, "CSV file whose columns override the headers"}, s.data.table.file);
    v(K{"data.table.record", "", KeyPart::kNone, "column with the record's path below data.records, no extension"},
      s.data.table.record);
    v(K{"data.table.labels", "", KeyPart::kNone, "column with the SNOMED CT codes, separated by ; or ,"},
      s.data.table.labels);
    v(K{"data.table.patient", "", KeyPart::kNone, "column with what must not be split between folds"},
      s.data.table.patient);
    v(K{"data.table.source", "", KeyPart::kNone, "column with the record's database; else its first folder"},
      s.data.table.source);
    v(K{"data.table.fold", "", KeyPart::kNone, "column with the record's fold, for folds.assign: column"},
      s.data.table.fold);
    v(K{"data.table.age", "", KeyPart::kNone, "column with the age in years"}, s.data.table.age);
    v(K{"data.table.sex", "", KeyPart::kNone, "column with the sex: male or female, in any case, or M or F"},
      s.data.table.sex);
    v(K{"data.labels",
        "",
        KeyPart::kTrain,
        "label set: 30 classes, their 26 scored groups, those with planted signs, or data.label_file",
        0,
        0,
        {"challenge2021", "challenge2021_groups", "synthetic", "file"}},
      s.data.labels);
    v(K{"data.label_file", "", KeyPart::kNone, "CSV file of classes: code, abbreviation, name, merge"},
      s.data.label_file);
    v(K{"data.min_native_hz", "Hz", KeyPart::kNone, "records published below this rate are in no fold", 0, 5000},
      s.data.min_native_hz);
    v(K{"data.window_s", "s", KeyPart::kTrain, "seconds of a record that the network sees at once", 0.1, 3600},
      s.data.window_s);
    v(K{"data.windows",
        "",
        KeyPart::kTrain,
        "first: the first window of a record, as the study; strided: all of it, window by window",
        0,
        0,
        {"first", "strided"}},
      s.data.windows);
    v(K{"data.stride_s", "s", KeyPart::kTrain, "from the beginning of a window to that of the next, if strided", 0.1,
        3600},
      s.data.stride_s);
    v(K{"data.pooling",
        "",
        KeyPart::kTrain,
        "how the probabilities of a record's windows become its own",
        0,
        0,
        {"mean", "max"}},
      s.data.pooling);
    v(K{"data.missing",
        "",
        KeyPart::kTrain,
        "missing samples: interpolated, or 0 in what the network sees",
        0,
        0,
        {"interpolate", "mask"}},
      s.data.missing);
    v(K{"data.band_pass_hz",
        "Hz",
        KeyPart::kTrain,
        "two corners of a Butterworth band-pass of order 4, forwards and backwards; [] filters nothing",
        0,
        2500,
        {},
        true},
      s.data.band_pass_hz);
    v(K{"data.normalize",
        "",
        KeyPart::kTrain,
        "none keeps uV, zscore centres and scales each lead",
        0,
        0,
        {"none", "zscore"}},
      s.data.normalize);
    v(K{"data.leads", "", KeyPart::kTrain, "leads given to the network, in this order"}, s.data.leads);
    v(K{"data.derive_leads",
        "",
        KeyPart::kTrain,
        "limb: III, aVR, aVL and aVF that a record lacks are computed from I and II",
        0,
        0,
        {"none", "limb"}},
      s.data.derive_leads);
    v(K{"data.layout",
        "",
        KeyPart::kTrain,
        "reshape: the known mistake of reading leads x samples as samples x leads",
        0,
        0,
        {"transpose", "reshape"}},
      s.data.layout);
    v(K{"data.pack_type",
        "",
        KeyPart::kTrain,
        "how prepared samples are kept; the 16-bit ones with a scale for each lead",
        0,
        0,
        {"float32", "float16", "int16"}},
      s.data.pack_type);
    v(K{"folds.k", "", KeyPart::kNone, "number of folds", 2, 1000}, s.folds.k);
    v(K{"folds.assign",
        "",
        KeyPart::kNone,
        "how groups are spread over the folds; source_out: one database a fold; column: data.table.fold",
        0,
        0,
        {"stratified", "study", "source_out", "column"}},
      s.folds.assign);
    v(K{"folds.seed", "", KeyPart::kNone, "seed of the assignment", 0, kMany}, s.folds.seed);
    v(K{"folds.validation",
        "",
        KeyPart::kNone,
        "fold that steers training: next is honest, tested reproduces the study and is leaky",
        0,
        0,
        {"next", "tested"}},
      s.folds.validation);
    v(K{"fold", "", KeyPart::kNone, "the tested fold; `all` in an axis", 0, 999}, s.fold);
    v(K{"sampling_hz", "Hz", KeyPart::kTrain, "rate to which records are resampled", 1, 5000}, s.sampling_hz);
    v(K{"loss", "", KeyPart::kTrain, "loss function", 0, 0, {"bce", "focal", "soft_f1", "double_soft_f1"}}, s.loss);
    v(K{"model.name", "", KeyPart::kTrain, "network", 0, 0, {"inception", "fcn"}}, s.model.name);
    v(K{"model.depth", "", KeyPart::kTrain, "number of inception modules", 1, 100}, s.model.depth);
    v(K{"model.filters", "", KeyPart::kTrain, "filters of each branch", 1, 1024}, s.model.filters);
    v(K{"model.bottleneck", "", KeyPart::kTrain, "channels of the 1x1 bottleneck", 1, 1024}, s.model.bottleneck);
    v(K{"model.kernels", "", KeyPart::kTrain, "lengths of the parallel convolutions", 0, 100000, {}, true},
      s.model.kernels);
    v(K{"model.kernel_unit", "", KeyPart::kTrain, "unit of model.kernels", 0, 0, {"samples", "seconds"}},
      s.model.kernel_unit);
    v(K{"model.residual_period", "", KeyPart::kTrain, "a shortcut after every so many modules", 1, 100},
      s.model.residual_period);
    v(K{"train.epochs", "", KeyPart::kTrain, "most epochs", 1, 100000}, s.train.epochs);
    v(K{"train.batch", "records", KeyPart::kTrain, "global batch, over all devices of the job", 1, 1000000},
      s.train.batch);
    v(K{"train.micro_batch", "records", KeyPart::kTrain,
        "records of a batch, over all devices, that go through the network at once; 0: all. BatchNorm normalises each "
        "such part by its own statistics",
        0, 1000000},
      s.train.micro_batch);
    v(K{"train.optimizer", "", KeyPart::kTrain, "optimizer", 0, 0, {"adam", "adamw", "sgd"}}, s.train.optimizer);
    v(K{"train.learning_rate", "", KeyPart::kTrain, "step size", 0, 100, {}, true}, s.train.learning_rate);
    v(K{"train.momentum", "", KeyPart::kTrain, "momentum of sgd", 0, 1}, s.train.momentum);
    v(K{"train.weight_decay", "", KeyPart::kTrain, "decay of all weights by adamw (decoupled) or sgd (L2)", 0, 100},
      s.train.weight_decay);
    v(K{"train.clip_norm", "", KeyPart::kTrain, "gradients with a larger norm are scaled to this one; 0: none are", 0,
        1e9},
      s.train.clip_norm);
    v(K{"train.positive_weights",
        "",
        KeyPart::kTrain,
        "weights of positives in bce; balanced: negatives / positives of the class in the training records",
        0,
        0,
        {"none", "balanced"}},
      s.train.positive_weights);
    v(K{"train.schedule",
        "",
        KeyPart::kTrain,
        "how the step size changes; plateau: x 0.1 after an epoch without gain; cosine: to 0 over train.epochs",
        0,
        0,
        {"constant", "plateau", "cosine"}},
      s.train.schedule);
    v(K{"train.monitor",
        "",
        KeyPart::kTrain,
        "figure of the validation fold that picks the best epoch",
        0,
        0,
        {"macro_auroc", "macro_f1", "loss"}},
      s.train.monitor);
    v(K{"train.patience", "epochs", KeyPart::kTrain, "epochs without gain before stopping; 0 never stops early", 0,
        100000},
      s.train.patience);
    v(K{"train.bn_momentum",
        "",
        KeyPart::kTrain,
        "weight of a new batch in BatchNorm's statistics (Keras' 0.99 is 0.01)",
        0,
        1,
        {},
        true},
      s.train.bn_momentum);
    v(K{"train.precision",
        "",
        KeyPart::kTrain,
        "arithmetic of the network in training; loss and BatchNorm are always fp32; tf32 needs a GPU",
        0,
        0,
        {"fp32", "tf32", "bf16"}},
      s.train.precision);
    visit_explain_settings(s.explain, v);
    v(K{"resources.devices", "", KeyPart::kNone, "devices that share one job", 1, 1024}, s.resources.devices);
    v(K{"resources.max_attempts", "", KeyPart::kNone, "attempts before a job counts as failed", 1, 100},
      s.resources.max_attempts);
    v(K{"resources.priority", "", KeyPart::kNone, "larger runs earlier", -1e6, 1e6}, s.resources.priority);
    v(K{"resources.timeout_s", "s", KeyPart::kNone, "longest attempt; 0: none", 0, kMany}, s.resources.timeout_s);
    v(K{"resources.isolation", "", KeyPart::kNone, "process: a fresh worker for this job", 0, 0, {"none", "process"}},
      s.resources.isolation);
    v(K{"resources.slots_per_device", "", KeyPart::kNone, "so many jobs like this share a device; a gang shares none",
        1, 64},
      s.resources.slots_per_device);
    v(K{"resources.across_nodes",
        "",
        KeyPart::kNone,
        "true: the devices of one job may lie on several nodes",
        0,
        0,
        {"false", "true"}},
      s.resources.across_nodes);
    v(K{"resources.data_on_device",
        "",
        KeyPart::kNone,
        "auto: training records are kept in the GPU's memory where half of what is free holds them",
        0,
        0,
        {"auto", "never"}},
      s.resources.data_on_device);
    v(K{"resources.cuda_graph", "", KeyPart::kNone, "on: GPUs replay each training step as a CUDA graph", 0, 0,
        {"on", "off"}},
      s.resources.cuda_graph);
    v(K{"resources.autotune", "", KeyPart::kNone,
        "on: GPUs time memory layouts and convolution algorithms first, and log what they choose", 0, 0, {"on", "off"}},
      s.resources.autotune);
    v(K{"seed", "", KeyPart::kTrain, "seed of initial weights and of the order of records", 0, kMany}, s.seed);
}

/// The value of one key. Throws std::logic_error where there is no such key.
nlohmann::json setting_of(const JobSpec& spec, std::string_view path);
/// The spec as nested JSON, all keys present.
nlohmann::json to_json(const JobSpec& spec);
/// Reads nested JSON over the defaults. Throws InputError naming every unknown key, wrong type and value out of range.
JobSpec job_spec_from_json(const nlohmann::json& settings);

}  // namespace leadsweep

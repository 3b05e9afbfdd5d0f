#include "worker/registry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/digest.hpp"
#include "worker/model/inception.hpp"

namespace leadsweep {
namespace {

template <class Made>
using Table = std::map<std::string, Made, std::less<>>;

using MakeModel = std::function<std::shared_ptr<Model>(const ModelShape&, const JobSpec&)>;
using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(FlatParameters&, const TrainSpec&)>;
using MakeExplainMethod = std::function<std::unique_ptr<ExplainMethod>(const ExplainSpec&, std::int64_t)>;

const Table<MakeModel>& models() {
    static const Table<MakeModel> table{{"inception",
                                         [](const ModelShape& shape, const JobSpec& spec) {
                                             return std::make_shared<Inception>(shape, spec.model,
                                                                                spec.train.bn_momentum);
                                         }},
                                        {"fcn", [](const ModelShape& shape, const JobSpec& spec) {
                                             return std::make_shared<Fcn>(shape, spec.train.bn_momentum);
                                         }}};
    return table;
}

struct KnownLoss {
    Loss share;
    bool is_batch_coupled;
};

const Table<KnownLoss>& losses() {
    static const Table<KnownLoss> table{{"bce", {bce_share, false}},
                                        {"focal", {focal_share, false}},
                                        {"soft_f1", {soft_f1_share, true}},
                                        {"double_soft_f1", {double_soft_f1_share, true}}};
    return table;
}

const Table<MakeOptimizer>& optimizers() {
    static const Table<MakeOptimizer> table{
        {"adam", [](FlatParameters& parameters, const TrainSpec&) { return std::make_unique<Adam>(parameters); }},
        {"adamw", [](FlatParameters& parameters,
                     const TrainSpec& train) { return std::make_unique<Adam>(parameters, train.weight_decay); }},
        {"sgd", [](FlatParameters& parameters, const TrainSpec& train) {
             return std::make_unique<Sgd>(parameters, train.momentum, train.weight_decay);
         }}};
    return table;
}

const Table<Schedule>& schedules() {
    static const Table<Schedule> table{{"constant", constant_rate}, {"plateau", plateau_rate}, {"cosine", cosine_rate}};
    return table;
}

const Table<MakeExplainMethod>& explain_methods() {
    static const Table<MakeExplainMethod> table{{"lime", make_lime},
                                                {"kernel_shap", make_kernel_shap},
                                                {"occlusion", make_occlusion},
                                                {"none", [](const ExplainSpec&, std::int64_t) { return nullptr; }}};
    return table;
}

template <class Made>
std::vector<std::string> names_in(const Table<Made>& table) {
    std::vector<std::string> names;
    for (const auto& [name, made] : table) names.push_back(name);
    return names;
}

template <class Made>
const Made& find(const Table<Made>& table, std::string_view key, const std::string& name) {
    const auto found = table.find(name);
    if (found == table.end())
        throw JobError(FailureClass::kInvalid, fmt::format("{}: this worker has no '{}'; it has {}", key, name,
                                                           fmt::join(names_in(table), ", ")));
    return found->second;
}

}  // namespace

std::shared_ptr<Model> make_model(const JobSpec& spec, std::int64_t classes) {
    const ModelShape shape{static_cast<std::int64_t>(spec.data.leads.size()), classes, spec.sampling_hz};
    auto model = find(models(), "model.name", spec.model.name)(shape, spec);
    initialise(*model, spec.seed);
    return model;
}

TrainParts make_train_parts(const JobSpec& spec, const std::vector<double>& positive_weights) {
    const KnownLoss& loss = find(losses(), "loss", spec.loss);
    const bool is_weighted = spec.train.positive_weights == "balanced";
    if (is_weighted && (spec.loss != "bce" || positive_weights.empty()))
        throw JobError(
            FailureClass::kInvalid,
            fmt::format("train.positive_weights is balanced, but loss is {}: only bce has such weights", spec.loss));
    const auto& optimizer = find(optimizers(), "train.optimizer", spec.train.optimizer);
    return {is_weighted ? bce_share_weighted(positive_weights) : loss.share, loss.is_batch_coupled,
            [&optimizer, train = spec.train](FlatParameters& parameters) { return optimizer(parameters, train); },
            find(schedules(), "train.schedule", spec.train.schedule)};
}

std::unique_ptr<Explainer> make_explainer(const JobSpec& spec, std::shared_ptr<Model> folded,
                                          std::span<const std::int32_t> background) {
    auto method = find(explain_methods(), "explain.method", spec.explain.method)(spec.explain, spec.seed);
    if (!method) return nullptr;
    return std::make_unique<Explainer>(std::move(folded), spec, std::move(method), background);
}

LoadedModel load_model(const std::string& path, const std::string& expected_digest) {
    if (!expected_digest.empty()) {
        const std::string found = sha256_file(path);
        if (found != expected_digest)
            throw InputError(fmt::format("{}: has digest {}, expected {}: the file was changed or torn", path, found,
                                         expected_digest));
    }
    LoadedModel loaded{nullptr, read_model_info(path)};
    loaded.model = make_model(loaded.info.spec, static_cast<std::int64_t>(loaded.info.class_codes.size()));
    load_weights(*loaded.model, path);
    loaded.model->eval();
    return loaded;
}

std::vector<std::string> registered_choices(std::string_view key) {
    if (key == "model.name") return names_in(models());
    if (key == "loss") return names_in(losses());
    if (key == "train.optimizer") return names_in(optimizers());
    if (key == "train.schedule") return names_in(schedules());
    if (key == "explain.method") return names_in(explain_methods());
    return {};
}

}  // namespace leadsweep

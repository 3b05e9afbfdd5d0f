#include "worker/predict_records.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "worker/model/predict.hpp"
#include "worker/one_record.hpp"
#include "worker/registry.hpp"
#include "worker/train/process.hpp"

namespace leadsweep {
namespace {

struct ReadyModel {
    ModelInfo info;
    std::shared_ptr<Model> folded;
};

std::vector<ReadyModel> load_models(const nlohmann::json& request) {
    std::vector<ReadyModel> models;
    for (const auto& one : request.at("models")) {
        const LoadedModel loaded = load_model(one.at("path").get<std::string>(), one.at("digest").get<std::string>());
        loaded.model->to(torch::cuda::is_available() ? torch::kCUDA : torch::kCPU);
        models.push_back({loaded.info, loaded.model->fold()});
        if (loaded.info.class_codes != models.front().info.class_codes)
            throw InputError(
                fmt::format("{}: its classes are not those of the other models; predict with models of one "
                            "label set",
                            one.at("path").get<std::string>()));
    }
    if (models.empty()) throw InputError("no models to predict with");
    return models;
}

std::string words_of(Refusal refusal) {
    return refusal == Refusal::kNoBeats ? "no lead map: no R peak was found (explain.align: beats)"
                                        : "no lead map: III is not II - I, so its leads do not come from one set of "
                                          "electrodes (explain.space: electrodes)";
}

/// There are no training records here, so none can take the place of masked parts.
std::unique_ptr<Explainer> explainer_of(const ReadyModel& model) {
    auto explainer = make_explainer(model.info.spec, model.folded, {});
    if (!explainer) throw InputError("explain.method of this model's job is none: there is no lead map");
    return explainer;
}

nlohmann::json nested(const torch::Tensor& tensor) {
    if (tensor.dim() == 0) return tensor.item<double>();
    auto list = nlohmann::json::array();
    for (const auto& part : tensor.unbind(0)) list.push_back(nested(part));
    return list;
}

nlohmann::json predict_one(const std::string& path, const std::vector<ReadyModel>& models, bool is_explained) {
    nlohmann::json answer = {{"path", path}, {"notes", ""}};
    try {
        const WfdbRecord record = read_wfdb_record(path);
        auto probabilities = nlohmann::json::array();
        torch::Tensor importance;
        for (const ReadyModel& model : models) {
            const OneRecord source(record, model.info.spec);
            const std::vector<std::int32_t> only{0};
            const auto logits = predict(*model.folded, source, only);
            probabilities.push_back(nested(torch::sigmoid(logits.to(torch::kFloat64)).squeeze(0)));
            answer["notes"] = words_of(source.notes());
            if (!is_explained) continue;
            const auto explainer = explainer_of(model);
            const Explanation explanation = explainer->explain(source, 0);
            if (explanation.refusal != Refusal::kNone) throw InputError(words_of(explanation.refusal));
            const auto coefficients = explanation.coefficients / static_cast<double>(models.size());
            importance = importance.defined() ? importance + coefficients : coefficients;
        }
        answer["probabilities"] = std::move(probabilities);
        if (importance.defined()) answer["importance"] = nested(importance);
    } catch (const Error& error) {
        answer["problem"] = error.what();
    }
    return answer;
}

}  // namespace

int run_predict(const std::string& request_path, const std::string& answer_path) {
    nlohmann::json request;
    try {
        request = nlohmann::json::parse(read_file(request_path));
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{}: no predict request: {}", request_path, error.what()));
    }
    prepare_process_for_training(1);
    const torch::NoGradGuard no_gradients;
    const auto models = load_models(request);
    const bool is_explained = request.at("explain").get<bool>();
    nlohmann::json answer = {
        {"class_codes", models.front().info.class_codes},
        {"leads", is_explained ? explainer_of(models.front())->rows() : models.front().info.spec.data.leads},
        {"records", nlohmann::json::array()}};
    for (const auto& path : request.at("records"))
        answer["records"].push_back(predict_one(path.get<std::string>(), models, is_explained));
    write_file_durably(answer_path, answer.dump());
    return kExitDone;
}

}  // namespace leadsweep

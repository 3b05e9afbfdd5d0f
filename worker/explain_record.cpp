#include "worker/explain_record.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"
#include "worker/explain/faithfulness.hpp"
#include "worker/model/predict.hpp"
#include "worker/one_record.hpp"
#include "worker/registry.hpp"
#include "worker/train/process.hpp"

namespace leadsweep {
namespace {

/// What can be refused before anything is computed.
void require_explainable(const WfdbRecord& record, const JobSpec& spec) {
    const std::string name = record.header_path.string();
    if (spec.explain.method == "none")
        throw InputError("explain.method of this model's job is none: give --set explain.method=lime");
    if (spec.explain.baseline == "background")
        throw InputError(
            "explain.baseline of this model's job is background, whose training records are not at hand here: give "
            "--set explain.baseline=lead_mean");
    if (spec.data.layout == "reshape")
        throw InputError("data.layout of this model's job is reshape: what it sees as a lead is a mixture of all");
    if (record.sampling_hz < spec.data.min_native_hz)
        throw InputError(
            fmt::format("{}: it has {:g} Hz, the model was trained on records of at least {:g} Hz "
                        "(data.min_native_hz)",
                        name, record.sampling_hz, spec.data.min_native_hz));
    const double length_s = static_cast<double>(record.samples) / record.sampling_hz;
    const double segment_s = spec.data.window_s / static_cast<double>(spec.explain.segments);
    if (spec.explain.align == "window" && length_s < segment_s)
        throw InputError(
            fmt::format("{}: it is {:.3g} s long, shorter than one of the {} segments of {:.3g} s: give "
                        "--set explain.segments=N, so that {:g} s / N fit into it",
                        name, length_s, spec.explain.segments, segment_s, spec.data.window_s));
}

/// The window as the file has it: in µV, at its own rate.
JobSpec as_in_file(JobSpec spec, double sampling_hz) {
    spec.sampling_hz = sampling_hz;
    spec.data.normalize = "none";
    spec.data.band_pass_hz.clear();
    spec.data.missing = "interpolate";
    return spec;
}

std::string notes_of(const WfdbRecord& record, const OneRecord& source, const JobSpec& spec) {
    std::string notes = words_of(source.notes());
    if (record.sampling_hz < spec.sampling_hz)
        notes += fmt::format("{}recorded at {:g} Hz, below the {:g} Hz at which the network sees it",
                             notes.empty() ? "" : ", ", record.sampling_hz, spec.sampling_hz);
    return notes;
}

std::int64_t class_index(const std::string& code, const std::vector<std::string>& codes,
                         const torch::Tensor& probabilities) {
    if (code.empty()) return probabilities.argmax().item<std::int64_t>();
    const auto found = std::find(codes.begin(), codes.end(), code);
    if (found == codes.end())
        throw InputError(fmt::format("the model has no class '{}'; it has {}", code, fmt::join(codes, ", ")));
    return found - codes.begin();
}

/// [rows][columns]
nlohmann::json nested(const float* values, std::size_t rows, std::size_t columns) {
    auto list = nlohmann::json::array();
    for (std::size_t row = 0; row < rows; ++row)
        list.push_back(std::vector<float>(values + row * columns, values + (row + 1) * columns));
    return list;
}

nlohmann::json explained(const OneRecord& source, Explainer& explainer, const JobSpec& spec, std::int64_t k) {
    const std::vector<std::int64_t> classes{k};
    const Explanation explanation = explainer.explain(source, 0, classes);
    if (explanation.refusal == Refusal::kNoBeats)
        throw InputError("no R peak was found in it: give --set explain.align=window");
    if (explanation.refusal == Refusal::kInconsistentLeads)
        throw InputError(
            "III is not II - I (by more than 5 % of III), so its leads do not come from one set of "
            "electrodes: give --set explain.space=leads");
    const auto coefficients = explanation.coefficients[k].to(torch::kFloat32).contiguous();
    nlohmann::json answer = {{"rows", explainer.rows()},
                             {"coefficients", nested(coefficients.const_data_ptr<float>(), explainer.rows().size(),
                                                     static_cast<std::size_t>(coefficients.size(1)))},
                             {"segment_of_sample", explainer.divide(source.signal()).segment_of_sample},
                             {"sampling_hz", spec.sampling_hz},
                             {"r2", explanation.r2[k].item<double>()},  // NaN becomes null
                             {"min_r2", spec.explain.min_r2},
                             {"align", spec.explain.align},
                             {"method", spec.explain.method},
                             {"target", spec.explain.target},
                             {"window_s", spec.data.window_s}};
    for (std::size_t i = 0; i < kFaithfulnessNames.size(); ++i)
        answer["faithfulness"][std::string(kFaithfulnessNames[i])] =
            explanation.faithfulness[k][static_cast<std::int64_t>(i)].item<double>();
    return answer;
}

}  // namespace

int run_explain(const std::string& request_path, const std::string& answer_path) {
    const auto request = nlohmann::json::parse(read_file(request_path));
    prepare_process_for_training(1);
    const torch::NoGradGuard no_gradients;
    const LoadedModel loaded = load_model(request.at("model").at("path").get<std::string>(),
                                          request.at("model").at("digest").get<std::string>());
    loaded.model->to(torch::cuda::is_available() ? torch::kCUDA : torch::kCPU);
    const auto folded = loaded.model->fold();
    nlohmann::json settings = to_json(loaded.info.spec);
    settings.merge_patch(request.at("settings"));
    const JobSpec spec = job_spec_from_json(settings);
    const WfdbRecord record = read_wfdb_record(request.at("record").get<std::string>());
    require_explainable(record, spec);
    const OneRecord source(record, spec);
    const std::vector<std::int32_t> only{0};
    const auto probabilities = torch::sigmoid(predict(*folded, source, only).to(torch::kFloat64)).squeeze(0);
    const std::int64_t k = class_index(request.at("class").get<std::string>(), loaded.info.class_codes, probabilities);
    const auto explainer = make_explainer(spec, folded, {});
    nlohmann::json answer = explained(source, *explainer, spec, k);
    answer["class_code"] = loaded.info.class_codes[static_cast<std::size_t>(k)];
    answer["class_index"] = k;
    answer["probability"] = probabilities[k].item<double>();
    answer["notes"] = notes_of(record, source, spec);
    const OneRecord in_file(record, as_in_file(spec, record.sampling_hz));
    const auto rows = explainer->row_signals(in_file.signal());
    answer["signal_uv"] = nested(rows.data(), explainer->rows().size(), rows.size() / explainer->rows().size());
    answer["signal_hz"] = record.sampling_hz;
    answer["is_unitless"] = in_file.notes().is_unitless;
    write_file_durably(answer_path, answer.dump());
    return kExitDone;
}

}  // namespace leadsweep

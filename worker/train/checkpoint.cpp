#include "worker/train/checkpoint.hpp"

#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "shared/arrays/sealed_arrays.hpp"
#include "shared/core/json_values.hpp"
#include "shared/core/log.hpp"
#include "shared/job/attempt_files.hpp"

namespace leadsweep {
namespace {

NamedArray to_array(const torch::Tensor& tensor) {
    const auto local = tensor.detach().to(torch::kCPU).contiguous();
    NamedArray array;
    switch (local.scalar_type()) {
        case torch::kFloat32:
            array.type = ElementType::kF32;
            break;
        case torch::kFloat64:
            array.type = ElementType::kF64;
            break;
        default:
            throw std::logic_error("only float32 and float64 tensors are saved");
    }
    array.shape = local.sizes().vec();
    const auto* bytes = static_cast<const std::byte*>(local.const_data_ptr());
    array.bytes.assign(bytes, bytes + local.nbytes());
    return array;
}

bool fits(const NamedArray& array, const torch::Tensor& tensor) {
    const auto type = array.type == ElementType::kF64 ? torch::kFloat64 : torch::kFloat32;
    return array.shape == tensor.sizes().vec() && tensor.scalar_type() == type &&
           (array.type == ElementType::kF32 || array.type == ElementType::kF64);
}

void copy_into(const NamedArray& array, torch::Tensor tensor) {
    const torch::NoGradGuard no_grad;
    // from_blob wants a non-const pointer, but only reads here.
    tensor.copy_(torch::from_blob(const_cast<std::byte*>(array.bytes.data()), array.shape, tensor.scalar_type()));
}

/// Nothing where the file is not there or not whole.
std::optional<ArrayFile> read_whole(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return std::nullopt;
    try {
        ArrayFile file = load_arrays(path.string());
        const auto version = file.metadata.find("version");
        const std::string found = version == file.metadata.end() ? "1" : version->second;
        if (found != std::to_string(kCheckpointVersion)) {
            log::warning("{}: a checkpoint of version {}, this worker reads {}; passed over", path.string(), found,
                         kCheckpointVersion);
            return std::nullopt;
        }
        if (file.metadata.contains("position") && file.metadata.contains("train_key") &&
            has_whole_seal(file))
            return file;
        log::warning("{}: its seal is broken, passed over", path.string());
    } catch (const Error& error) {
        log::warning("{}; passed over", error.what());
    }
    return std::nullopt;
}

NamedTensors weights_of(const torch::nn::Module& module) {
    NamedTensors weights;
    for (const auto& item : module.named_parameters()) weights.emplace_back(item.key(), item.value());
    for (const auto& item : module.named_buffers()) weights.emplace_back(item.key(), item.value());
    return weights;
}

std::vector<std::string> problems_between(const ArrayFile& file, const NamedTensors& tensors) {
    std::vector<std::string> problems;
    std::set<std::string> known;
    for (const auto& [name, tensor] : tensors) {
        known.insert(name);
        const auto found = file.arrays.find(name);
        if (found == file.arrays.end())
            problems.push_back(fmt::format("array '{}' is missing", name));
        else if (!fits(found->second, tensor))
            problems.push_back(fmt::format("array '{}' has shape [{}], expected [{}] of the same type", name,
                                           fmt::join(found->second.shape, ", "),
                                           fmt::join(tensor.sizes().vec(), ", ")));
    }
    for (const auto& [name, array] : file.arrays)
        if (!known.contains(name)) problems.push_back(fmt::format("array '{}' is unknown to this network", name));
    return problems;
}

void fill_in_place(const ArrayFile& file, const NamedTensors& tensors, const std::string& path) {
    auto problems = problems_between(file, tensors);
    for (auto& problem : problems) problem.insert(0, path + ": ");
    if (!problems.empty()) throw InputError(std::move(problems));
    for (const auto& [name, tensor] : tensors) copy_into(file.at(name), tensor);
}

}  // namespace

std::string to_text(const TrainPosition& position) {
    JobResult epochs;
    epochs.epochs = position.epochs;
    const nlohmann::json json = {{"epoch", position.epoch},
                                 {"batches_done", position.batches_done},
                                 {"loss_sum", position.loss_sum},
                                 {"learning_rate", position.learning_rate},
                                 {"best_epoch", position.best_epoch},
                                 {"best_figure", position.best_figure},
                                 {"epochs_without_gain", position.epochs_without_gain},
                                 {"layout", position.layout},
                                 {"result", to_json(epochs)}};
    return json.dump();
}

TrainPosition train_position_from(const std::string& text) {
    const auto json = nlohmann::json::parse(text);
    TrainPosition position;
    read_value(json.at("epoch"), position.epoch);
    read_value(json.at("batches_done"), position.batches_done);
    read_value(json.at("loss_sum"), position.loss_sum);
    read_value(json.at("learning_rate"), position.learning_rate);
    read_value(json.at("best_epoch"), position.best_epoch);
    read_value(json.at("best_figure"), position.best_figure);
    read_value(json.at("epochs_without_gain"), position.epochs_without_gain);
    read_value(json.at("layout"), position.layout);
    position.epochs = job_result_from_json(json.at("result")).epochs;
    return position;
}

std::string save_checkpoint(const std::string& folder, const std::string& train_key, const TrainPosition& position,
                     const NamedTensors& tensors) {
    ArrayFile file;
    for (const auto& [name, tensor] : tensors) file.arrays.emplace(name, to_array(tensor));
    file.metadata["version"] = std::to_string(kCheckpointVersion);
    file.metadata["train_key"] = train_key;
    file.metadata["position"] = to_text(position);
    seal(file);
    const std::filesystem::path path(folder);
    std::error_code no_earlier_one;
    std::filesystem::rename(path / kCheckpointFile, path / kPreviousCheckpointFile, no_earlier_one);
    return save_arrays(file, (path / kCheckpointFile).string());
}

std::optional<TrainPosition> load_checkpoint(const std::string& folder, const std::string& train_key,
                                             const NamedTensors& tensors) {
    for (const char* name : kCheckpointFiles) {
        const auto path = std::filesystem::path(folder) / name;
        const auto file = read_whole(path);
        if (!file) continue;
        if (file->metadata.at("train_key") != train_key)
            throw InputError(fmt::format("{}: is of train_key {}, expected {}: resume only attempts of the same job",
                                         path.string(), file->metadata.at("train_key"), train_key));
        fill_in_place(*file, tensors, path.string());
        return train_position_from(file->metadata.at("position"));
    }
    return std::nullopt;
}

std::string save_model(const torch::nn::Module& module, const ModelInfo& info, const std::string& path) {
    ArrayFile file;
    for (const auto& [name, tensor] : weights_of(module)) file.arrays.emplace(name, to_array(tensor));
    file.metadata["spec"] = to_json(info.spec).dump();
    file.metadata["classes"] = nlohmann::json(info.class_codes).dump();
    file.metadata["leads"] = nlohmann::json(info.spec.data.leads).dump();
    file.metadata["sampling_hz"] = nlohmann::json(info.spec.sampling_hz).dump();
    return save_arrays(file, path);
}

ModelInfo read_model_info(const std::string& path) {
    const ArrayFile file = load_arrays(path);
    if (!file.metadata.contains("spec") || !file.metadata.contains("classes"))
        throw InputError(fmt::format("{}: no model file of leadsweep: its metadata lack 'spec' or 'classes'", path));
    try {
        return {job_spec_from_json(nlohmann::json::parse(file.metadata.at("spec"))),
                nlohmann::json::parse(file.metadata.at("classes")).get<std::vector<std::string>>()};
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{}: its metadata cannot be read: {}", path, error.what()));
    }
}

void load_weights(torch::nn::Module& module, const std::string& path) {
    fill_in_place(load_arrays(path), weights_of(module), path);
}

}  // namespace leadsweep

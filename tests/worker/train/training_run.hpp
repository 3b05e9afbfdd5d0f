// A training on the small problem, whole or step by step, as the tests of training want it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <unistd.h>

#include "tests/worker/gang.hpp"
#include "tests/worker/records_in_memory.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/registry.hpp"

namespace leadsweep::test {

/// A folder of the test's own, empty at the beginning and gone at the end.
struct Folder {
    std::filesystem::path path;
    explicit Folder(const std::string& name) : path(std::filesystem::temp_directory_path() / ("leadsweep_" + name)) {
        path += "_" + std::to_string(::getpid());
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

inline std::vector<std::int32_t> shuffled(std::vector<std::int32_t> list, std::int64_t epoch) {
    std::mt19937 engine(static_cast<std::uint32_t>(100 + epoch));
    std::shuffle(list.begin(), list.end(), engine);
    return list;
}

struct Run {
    SmallProblem problem;
    RecordsInMemory records{problem.signals};
    JobSpec spec = SmallProblem::spec();
    TrainHooks hooks;
    torch::ScalarType type = torch::kFloat32;
    torch::Device device = torch::kCPU;
    std::shared_ptr<Model> model;

    TrainData data() const {
        return {records, problem.lists, [this](std::int64_t epoch) { return shuffled(problem.lists.train, epoch); }};
    }
    TrainOutcome train_with(Communicator& communicator) {
        model = make_model(spec, problem.lists.class_count);
        model->to(device, type);
        const auto weights = balanced_weights(problem.lists);
        return train(*model, data(), spec, communicator, make_train_parts(spec, weights), hooks);
    }
    TrainOutcome train_alone() { return train_with(*make_local_communicator()); }
};

/// Parameters and statistics of a network in one row.
inline torch::Tensor all_weights(const Model& model) {
    std::vector<torch::Tensor> flat;
    for (const auto& tensor : model.parameters()) flat.push_back(tensor.detach().flatten());
    for (const auto& tensor : model.buffers()) flat.push_back(tensor.flatten());
    return torch::cat(flat);
}

inline bool same_weights(const Model& a, const Model& b) {
    return torch::equal(all_weights(a), all_weights(b));
}

/// |a - b| / |b| in the Euclidean norm.
inline double relative_difference(const torch::Tensor& a, const torch::Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
}

}  // namespace leadsweep::test

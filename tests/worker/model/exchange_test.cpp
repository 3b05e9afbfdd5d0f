// Weights that come from elsewhere: Keras' own, and networks whose weights follow a formula known to PyTorch too.
#include <cmath>

#include "shared/arrays/safetensors.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/model/inception.hpp"
#include "worker/registry.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

torch::Tensor to_tensor(const NamedArray& array) {
    if (array.type == ElementType::kF64)
        return torch::tensor(torch::ArrayRef<double>(array.values<double>()), torch::kFloat64).view(array.shape);
    return torch::tensor(torch::ArrayRef<float>(array.values<float>()), torch::kFloat32).view(array.shape);
}

ArrayFile reference(const std::string& name) {
    return load_arrays(LEADSWEEP_SOURCE_DIR "/tests/reference/model/" + name + ".safetensors");
}

/// Where Keras keeps the tensor of a name of ours: "blocks.2.convs.1.weight" is its "2.conv1/kernel".
std::string keras_name(const std::string& ours) {
    static const std::vector<std::pair<std::string, std::string>> kParts{{"blocks.", ""},
                                                                         {"shortcuts.", ""},
                                                                         {".convs.", ".conv"},
                                                                         {"norm.weight", "norm/gamma"},
                                                                         {"norm.bias", "norm/beta"},
                                                                         {"norm.running_mean", "norm/moving_mean"},
                                                                         {"norm.running_var", "norm/moving_variance"},
                                                                         {"head.weight", "head/kernel"},
                                                                         {"head.bias", "head/bias"}};
    std::string name = ours;
    if (name.starts_with("shortcuts.")) {
        const auto dot = name.rfind('.', name.rfind('.') - 1);
        name.replace(dot, 1, ".shortcut_");
    }
    for (const auto& [from, to] : kParts)
        if (const auto at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
    if (const auto at = name.find(".weight"); at != std::string::npos) name.replace(at, 7, "/kernel");
    return name;
}

/// Keras' kernels are [k, in, out] and [in, out], ours [out, in, 1, k] and [out, in].
torch::Tensor from_keras(const torch::Tensor& value) {
    if (value.dim() == 3) return value.permute({2, 1, 0}).unsqueeze(2);
    return value.dim() == 2 ? value.t() : value;
}

/// tests/reference/model/make_model_reference.py, formula_weights.
torch::Tensor formula_weights(const std::string& name, const torch::Tensor& like) {
    int letters = 0;
    for (const char letter : name) letters += letter;
    const auto count = torch::arange(like.numel(), torch::kFloat64);
    const auto values = 0.1 * torch::sin(0.37 * count + letters % 100);
    const bool is_norm = name.find("norm") != std::string::npos;
    const bool is_about_one = name.ends_with("running_var") || (is_norm && name.ends_with("weight"));
    return (values + (is_about_one ? 1 : 0)).view(like.sizes());
}

}  // namespace

TEST_CASE("With Keras' weights the study's network has Keras' outputs", "[model][exchange]") {
    const auto file = reference("keras_inception");
    ModelSpec spec;  // depth 6, kernels 40/20/10, shortcuts after every third module
    spec.filters = spec.bottleneck = 8;
    Inception network({12, 30, 15}, spec, 0.01);
    std::size_t carried = 0;
    const torch::NoGradGuard no_grad;
    const auto carry = [&](const std::string& name, torch::Tensor& tensor) {
        CAPTURE(name, keras_name(name));
        const auto value = from_keras(to_tensor(file.at(keras_name(name))));
        REQUIRE(value.sizes() == tensor.sizes());
        tensor.copy_(value);
        ++carried;
    };
    for (auto& item : network.named_parameters()) carry(item.key(), item.value());
    for (auto& item : network.named_buffers()) carry(item.key(), item.value());
    CHECK(carried == 66);                      // as many as Keras' get_weights() returns
    CHECK(carried + 2 == file.arrays.size());  // all of them, beside records and outputs
    network.eval();
    const auto records = to_tensor(file.at("records")).transpose(1, 2);
    const auto expected = to_tensor(file.at("outputs"));
    CHECK((torch::sigmoid(network.forward(records)) - expected).abs().max().item<double>() < 2e-6);
    CHECK((torch::sigmoid(network.fold()->forward(records)) - expected).abs().max().item<double>() < 2e-6);
    // Another constant of BatchNorm, PyTorch's 1e-5, would be seen.
    CHECK((expected - expected.mean(0)).abs().max().item<double>() > 1e-2);
}

TEST_CASE("FCN and another residual period have the outputs of their PyTorch modules", "[model][exchange]") {
    const auto file = reference("formula");
    const std::string label = GENERATE("fcn", "period_2");
    JobSpec spec;
    spec.data.leads = {"I", "II", "V1"};
    if (label == "fcn") {
        spec.model.name = "fcn";
    } else {
        spec.model.depth = 5;
        spec.model.filters = 3;
        spec.model.bottleneck = 2;
        spec.model.kernels = {6, 3};
        spec.model.residual_period = 2;
    }
    const auto network = make_model(spec, 5);
    network->to(torch::kFloat64);
    network->eval();
    const torch::NoGradGuard no_grad;
    for (auto& item : network->named_parameters()) item.value().copy_(formula_weights(item.key(), item.value()));
    for (auto& item : network->named_buffers()) item.value().copy_(formula_weights(item.key(), item.value()));
    const auto records = to_tensor(file.at(label + ".records"));
    const auto expected = to_tensor(file.at(label + ".logits"));
    CHECK((network->forward(records) - expected).abs().max().item<double>() < 1e-12);
    CHECK((network->fold()->forward(records) - expected).abs().max().item<double>() < 1e-12);
}

TEST_CASE("Kernels in seconds make a network with as many samples as fit the rate", "[model]") {
    JobSpec spec;
    spec.model.depth = 2;
    spec.model.kernel_unit = "seconds";
    spec.model.kernels = {0.08, 0.04, 0.02};
    const auto lengths = [&](double sampling_hz) {
        spec.sampling_hz = sampling_hz;
        std::vector<std::int64_t> found;
        for (const char* conv : {"0", "1", "2"})
            found.push_back(
                make_model(spec, 3)->named_parameters()[std::string("blocks.1.convs.") + conv + ".weight"].size(3));
        return found;
    };
    CHECK(lengths(500) == std::vector<std::int64_t>{40, 20, 10});
    CHECK(lengths(100) == std::vector<std::int64_t>{8, 4, 2});
    CHECK(lengths(75) == std::vector<std::int64_t>{6, 3, 2});
}

#include "worker/model/model.hpp"

#include "shared/arrays/safetensors.hpp"
#include "tests/worker/gang.hpp"
#include "tests/worker/records_in_memory.hpp"
#include "tests/worker/torch_catch.hpp"
#include "worker/model/fourier_conv.hpp"
#include "worker/model/inception.hpp"
#include "worker/model/predict.hpp"
#include "worker/registry.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

torch::Tensor to_tensor(const NamedArray& array) {
    return torch::tensor(torch::ArrayRef<double>(array.values<double>()), torch::kFloat64).view(array.shape);
}

ArrayFile reference() {
    return load_arrays(LEADSWEEP_SOURCE_DIR "/tests/reference/model/inception.safetensors");
}

/// The network of tests/reference/model/make_model_reference.py.
std::shared_ptr<Inception> reference_network(const ArrayFile& file, const std::string& prefix, torch::ScalarType type) {
    ModelSpec spec;
    spec.depth = 4;
    spec.filters = 3;
    spec.bottleneck = 2;
    spec.kernels = {8, 4, 3};
    auto model = std::make_shared<Inception>(ModelShape{3, 5, 100}, spec, 0.1);
    model->to(type);
    const torch::NoGradGuard no_grad;
    for (auto& item : model->named_parameters()) item.value().copy_(to_tensor(file.at(prefix + item.key())));
    for (auto& item : model->named_buffers()) item.value().copy_(to_tensor(file.at(prefix + item.key())));
    return model;
}

JobSpec small_spec(const std::string& name) {
    JobSpec spec;
    spec.model.name = name;
    spec.model.depth = 3;
    spec.model.filters = 4;
    spec.model.bottleneck = 4;
    spec.model.kernels = {8, 5};
    spec.data.leads = {"I", "II", "V1"};
    return spec;
}

double largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

/// Statistics as after some training, so that folding has something to fold.
void disturb_norms(Model& model) {
    const torch::NoGradGuard no_grad;
    auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{4});
    for (auto& item : model.named_buffers()) item.value().uniform_(0.2, 2.0, generator);
    for (auto& parameter : model.parameters())
        if (parameter.dim() == 1) parameter.uniform_(-1.0, 1.5, generator);
}

}  // namespace

TEST_CASE("The study's network has 497,694 parameters, BatchNorm's statistics included", "[model]") {
    const auto model = make_model(JobSpec{}, 30);
    std::int64_t trainable = 0;
    std::int64_t statistics = 0;
    for (const auto& parameter : model->parameters()) trainable += parameter.numel();
    for (const auto& buffer : model->buffers()) statistics += buffer.numel();
    CHECK(trainable == 495646);
    CHECK(statistics == 2048);
    CHECK(trainable + statistics == 497694);
}

TEST_CASE("Other depths, kernels, leads and outputs have the sizes of the study's variants", "[model]") {
    const auto count = [](const ModelSpec& spec, std::int64_t leads, std::int64_t classes) {
        const Inception model({leads, classes, 100}, spec, 0.01);
        std::int64_t all = 0;
        for (const auto& parameter : model.parameters()) all += parameter.numel();
        for (const auto& buffer : model.buffers()) all += buffer.numel();
        return all;
    };
    ModelSpec spec;
    CHECK(count(spec, 12, 26) == 497178);
    CHECK(count(spec, 12, 1) == 493953);
    CHECK(count(spec, 1, 1) == 493953 - 71584);
    spec.depth = 10;
    CHECK(count(spec, 1, 3) == 761059);
    spec.depth = 9;
    spec.kernels = {60, 30, 15};
    CHECK(count(spec, 12, 30) == 1078302);
}

TEST_CASE("Outputs equal those of a plain PyTorch module with the same weights", "[model]") {
    const auto file = reference();
    const auto type = GENERATE(torch::kFloat32, torch::kFloat64);
    const auto model = reference_network(file, "before.", type);
    model->eval();
    const torch::NoGradGuard no_grad;
    const auto records = to_tensor(file.at("records"));
    const auto expected = to_tensor(file.at("logits"));
    CHECK(largest_difference(model->forward(records), expected) < (type == torch::kFloat64 ? 1e-12 : 1e-5));
}

TEST_CASE("Three training steps equal those of PyTorch", "[model][train]") {
    const auto file = reference();
    const auto model = reference_network(file, "before.", torch::kFloat64);
    const auto expected = reference_network(file, "after.", torch::kFloat64);
    model->train();
    FlatParameters parameters(*model);
    Adam adam(parameters);
    adam.set_learning_rate(1e-2);
    const auto losses = to_tensor(file.at("losses"));
    const auto alone = make_local_communicator();
    for (int step = 0; step < 3; ++step) {
        parameters.zero_gradients();
        const auto logits = model->forward(to_tensor(file.at("records")));
        const auto loss = bce_share(logits, to_tensor(file.at("targets")), 6, *alone);
        loss.backward();
        adam.step(torch::zeros({}));
        CHECK(loss.item<double>() == Approx(losses[step].item<double>()).epsilon(1e-10));
    }
    for (const auto& item : expected->named_buffers())
        CHECK(largest_difference(model->named_buffers()[item.key()], item.value()) < 1e-8);
    for (const auto& item : expected->named_parameters())
        CHECK(largest_difference(model->named_parameters()[item.key()], item.value()) < 1e-8);
}

TEST_CASE("Folding BatchNorm into the convolutions changes no output", "[model]") {
    JobSpec spec = small_spec(GENERATE("inception", "fcn"));
    const bool has_long_kernels = GENERATE(false, true);
    if (has_long_kernels) {
        spec.model.filters = spec.model.bottleneck = 32;
        spec.model.kernels = {40, 21};
    }
    const auto model = make_model(spec, 4);
    disturb_norms(*model);
    model->eval();
    const torch::NoGradGuard no_grad;
    const auto folded = model->fold();
    for (const std::int64_t samples : {40, 250, 100}) {  // one network predicts windows of several lengths
        const auto records = torch::randn({5, 3, samples});
        const auto expected = model->forward(records);
        const double tolerance = 1e-4 * (1 + expected.abs().max().item<double>());
        CHECK(largest_difference(folded->forward(records), expected) < tolerance);
        const torch::AutoGradMode with_gradients(true);
        CHECK(largest_difference(folded->forward(records), expected) < tolerance);
    }
    CHECK(folded->buffers().empty());
}

TEST_CASE("Initial weights follow the seed alone and Glorot's limits", "[model]") {
    JobSpec spec = small_spec("inception");
    torch::manual_seed(1);
    const auto first = make_model(spec, 4);
    torch::manual_seed(2);
    const auto again = make_model(spec, 4);
    spec.seed = 2;
    const auto other = make_model(spec, 4);
    CHECK(torch::equal(first->parameters()[0], again->parameters()[0]));
    CHECK_FALSE(torch::equal(first->parameters()[0], other->parameters()[0]));
    const auto base = make_model(JobSpec{}, 30);
    const auto weights = base->named_parameters()["blocks.1.convs.0.weight"];  // 40 samples, 32 to 32 channels
    const double limit = std::sqrt(6.0 / (40 * (32 + 32)));
    CHECK(weights.abs().max().item<double>() <= limit);
    CHECK(weights.std().item<double>() == Approx(limit / std::sqrt(3.0)).epsilon(0.02));
    CHECK(base->named_parameters()["head.bias"].abs().max().item<double>() == 0);
}

TEST_CASE("Kernels in seconds follow the sampling rate", "[model]") {
    ModelSpec spec;
    spec.kernel_unit = "seconds";
    CHECK(kernel_samples(0.08, spec, 500) == 40);
    CHECK(kernel_samples(0.08, spec, 75) == 6);
    CHECK(kernel_samples(0.001, spec, 75) == 1);
    spec.kernel_unit = "samples";
    CHECK(kernel_samples(40, spec, 75) == 40);
    CHECK_THROWS_AS(kernel_samples(0.5, spec, 75), JobError);
}

TEST_CASE("Even kernels put the odd sample of padding on the right", "[model]") {
    SameConv conv(1, 1, 4, false);
    const torch::NoGradGuard no_grad;
    conv.weight.copy_(torch::tensor({1.0F, 10.0F, 100.0F, 1000.0F}).view({1, 1, 1, 4}));
    const auto out = conv.forward(torch::tensor({1.0F, 2.0F, 3.0F}).view({1, 1, 1, 3}));
    CHECK(torch::equal(out.flatten(),
                       torch::tensor({3210.0F, 321.0F, 32.0F})));  // one zero on the left, two on the right
}

TEST_CASE("Max-pooling has the values, gradients and ties of LibTorch's own", "[model]") {
    const auto type = GENERATE(torch::kFloat32, torch::kFloat64);
    const std::int64_t samples = GENERATE(1, 2, 3, 17);
    auto image = torch::randint(-2, 3, {3, 5, 1, samples}, type).contiguous(torch::MemoryFormat::ChannelsLast);
    const auto gradient = torch::randn({3, 5, 1, samples}, type);
    auto ours = image.clone().requires_grad_();
    auto theirs = image.clone().requires_grad_();
    const auto found = max_pool_3(ours);
    const auto expected = torch::max_pool2d(theirs, {1, 3}, {1, 1}, {0, 1});
    CHECK(torch::equal(found, expected));
    CHECK(found.is_contiguous(torch::MemoryFormat::ChannelsLast));
    found.backward(gradient);
    expected.backward(gradient);
    CHECK(largest_difference(ours.grad(), theirs.grad()) < 1e-6);
    image[1][2][0][0] = std::numeric_limits<float>::quiet_NaN();
    CHECK(max_pool_3(image).isnan().sum().item<int>() == std::min<std::int64_t>(samples, 2));
    CHECK(max_pool_3(torch::empty({0, 5, 1, 4}, type)).sizes() == at::IntArrayRef{0, 5, 1, 4});
}

TEST_CASE("Convolutions by Fourier transforms have the values and gradients of LibTorch's own", "[model]") {
    const auto type = GENERATE(torch::kFloat32, torch::kFloat64);
    const std::int64_t samples = GENERATE(1, 7, 40, 121, 500);
    const std::int64_t records = GENERATE(0, 3);
    const auto shared = torch::randn({records, 4, 1, samples}, type).contiguous(torch::MemoryFormat::ChannelsLast);
    // LibTorch computes in float64: what is left is our rounding alone.
    auto ours = shared.clone().requires_grad_();
    auto theirs = shared.to(torch::kFloat64, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
    std::vector<torch::Tensor> our_weights, their_weights, outputs;
    for (const std::int64_t kernel : {40, 21, 2, 1}) {
        our_weights.push_back(torch::randn({3, 4, 1, kernel}, type).requires_grad_());
        their_weights.push_back(our_weights.back().detach().to(torch::kFloat64, false, true).requires_grad_());
        const auto padded = torch::constant_pad_nd(theirs, {(kernel - 1) / 2, kernel / 2});
        outputs.push_back(torch::conv2d(padded, their_weights.back()));
    }
    const auto found = fourier_convs(ours, our_weights);
    const auto expected = torch::cat(outputs, 1);
    CHECK(found.sizes() == expected.sizes());
    CAPTURE(samples, records);
    CHECK((records == 0 || found.is_contiguous(torch::MemoryFormat::ChannelsLast)));
    const auto gradient = torch::randn(expected.sizes(), type);
    found.backward(gradient);
    expected.backward(gradient.to(torch::kFloat64));
    const double rounding = type == torch::kFloat32 ? 1e-6 : 1e-14;
    const auto is_close = [rounding](const torch::Tensor& a, const torch::Tensor& b) {
        return (a - b).norm().item<double>() <= rounding * b.norm().item<double>();
    };
    CHECK(is_close(found, expected));
    CHECK(is_close(ours.grad(), theirs.grad()));
    for (std::size_t i = 0; i < our_weights.size(); ++i)
        CHECK(is_close(our_weights[i].grad(), their_weights[i].grad()));
}

TEST_CASE("Kernels transformed once convolve, add their biases and rectify as LibTorch does", "[model]") {
    const auto type = GENERATE(torch::kFloat32, torch::kFloat64);
    const std::int64_t samples = GENERATE(1, 40, 121, 500);
    const std::int64_t records = GENERATE(0, 3);
    const auto input = torch::randn({records, 4, 1, samples}, type).contiguous(torch::MemoryFormat::ChannelsLast);
    std::vector<torch::Tensor> weights, biases, outputs;
    for (const std::int64_t kernel : {40, 21, 2, 1}) {
        weights.push_back(torch::randn({3, 4, 1, kernel}, type));
        biases.push_back(torch::randn({3}, type));
        const auto padded = torch::constant_pad_nd(input.to(torch::kFloat64), {(kernel - 1) / 2, kernel / 2});
        outputs.push_back(torch::conv2d(padded, weights.back().to(torch::kFloat64), biases.back().to(torch::kFloat64)));
    }
    const auto expected = torch::relu(torch::cat(outputs, 1));
    auto around = torch::full({records, 14, 1, samples}, 7, input.options().memory_format(torch::MemoryFormat::ChannelsLast));
    FourierKernels(weights, biases, samples).convolve_relu_into(input, around.narrow(1, 1, 12));
    const double rounding = type == torch::kFloat32 ? 1e-6 : 1e-14;
    CAPTURE(samples, records);
    CHECK((around.narrow(1, 1, 12) - expected).norm().item<double>() <= rounding * expected.norm().item<double>());
    CHECK((around.select(1, 0) == 7).all().item<bool>());
    CHECK((around.select(1, 13) == 7).all().item<bool>());
}

TEST_CASE("Fourier transforms are taken for long kernels on long rows alone", "[model]") {
    const auto is_taken = [](std::int64_t channels, std::int64_t samples, std::vector<std::int64_t> kernels) {
        std::vector<torch::Tensor> weights;
        for (const std::int64_t kernel : kernels) weights.push_back(torch::empty({channels, channels, 1, kernel}));
        return is_fourier_faster(torch::empty({1, channels, 1, samples}), weights);
    };
    CHECK(is_taken(32, 750, {40, 20, 10}));
    CHECK_FALSE(is_taken(32, 750, {5, 3, 1}));
    CHECK_FALSE(is_taken(4, 750, {9, 5, 3}));
    CHECK_FALSE(is_taken(32, 8, {40, 20, 10}));
}

TEST_CASE("Gradients of a convolution are those of LibTorch's own", "[model]") {
    const std::int64_t kernel = GENERATE(2, 3, 10, 40);
    const std::int64_t samples = GENERATE(1, 13, 50);
    SameConv conv(3, 5, kernel, false);
    initialise(conv, 1);
    conv.to(torch::kFloat64);
    const auto image = torch::randn({4, 3, 1, samples}, torch::kFloat64).contiguous(torch::MemoryFormat::ChannelsLast);
    const auto gradient = torch::randn({4, 5, 1, samples}, torch::kFloat64);
    auto ours = image.clone().requires_grad_();
    auto theirs = image.clone().requires_grad_();
    auto weight = conv.weight.detach().clone().requires_grad_();
    conv.forward(ours).backward(gradient);
    torch::conv2d(torch::constant_pad_nd(theirs, {(kernel - 1) / 2, kernel / 2}), weight).backward(gradient);
    CHECK(largest_difference(ours.grad(), theirs.grad()) < 1e-12);
    CHECK(largest_difference(conv.weight.grad(), weight.grad()) < 1e-11);
}

TEST_CASE("Statistics of BatchNorm are those of all ranks' records", "[model]") {
    const auto input = torch::randn({12, 3, 1, 7}, torch::kFloat64) * 5 + 100;
    const auto gradient = torch::randn({12, 3, 1, 7}, torch::kFloat64);
    BatchNorm whole(3, 0.1);
    whole.to(torch::kFloat64);
    auto whole_input = input.clone().requires_grad_();
    const auto expected = whole.forward(whole_input);
    expected.backward(gradient);
    const int size = GENERATE(2, 3);
    std::atomic<int> wrong{0};
    run_gang(size, [&](Communicator& gang) {
        const auto close = [](const torch::Tensor& a, const torch::Tensor& b) {
            return torch::allclose(a, b, 1e-10, 1e-10);
        };
        // Unequal shares: the first rank has twice as many records as it would.
        const std::int64_t first = gang.rank() == 0 ? 0 : 12 - 12 / (size + 1) * (size - gang.rank());
        const std::int64_t end = 12 - 12 / (size + 1) * (size - gang.rank() - 1);
        BatchNorm norm(3, 0.1);
        norm.to(torch::kFloat64);
        norm.synchronise(&gang);
        auto mine = input.slice(0, first, end).clone().requires_grad_();
        const auto output = norm.forward(mine);
        output.backward(gradient.slice(0, first, end));
        auto weight_gradient = norm.weight.grad().clone();
        gang.all_reduce_sum_(weight_gradient);
        if (!close(output, expected.slice(0, first, end))) ++wrong;
        if (!close(mine.grad(), whole_input.grad().slice(0, first, end))) ++wrong;
        if (!close(weight_gradient, whole.weight.grad())) ++wrong;
        if (!close(norm.running_mean, whole.running_mean) || !close(norm.running_var, whole.running_var)) ++wrong;
    });
    CHECK(wrong == 0);
}

TEST_CASE("Predictions follow the list, whatever the batch and the number of ranks", "[model]") {
    const auto model = make_model(small_spec("inception"), 4);
    disturb_norms(*model);
    const RecordsInMemory records(torch::randn({9, 3, 32}));
    const std::vector<std::int32_t> indices{8, 1, 1, 5, 0, 7, 2};
    const auto expected = predict(*model, records, indices, 100);
    CHECK(expected.size(0) == 7);
    CHECK(largest_difference(expected[1], expected[2]) < 1e-5);
    CHECK(largest_difference(predict(*model, records, indices, 2), expected) < 1e-5);
    const int size = GENERATE(2, 4);
    std::atomic<int> wrong{0};
    run_gang(size, [&](Communicator& gang) {
        const auto shared = predict_shared(*model->fold(), records, indices, gang, 2);
        if (shared.sizes() != expected.sizes() || largest_difference(shared, expected) > 1e-4) ++wrong;
    });
    CHECK(wrong == 0);
    CHECK(predict(*model, records, {}, 2).sizes() == at::IntArrayRef{0, 4});
}

// What can only be shown on a GPU: `ctest -L gpu` in a CUDA build. Without a GPU every test here is skipped, with the
// reason. Figures are compared with those of the CPU within rounding, never bit for bit.
#include <atomic>
#include <cstdlib>
#include <thread>

#include "tests/worker/comm/contract.hpp"
#include "tests/worker/train/training_run.hpp"
#include "worker/explain/explainer.hpp"
#include "worker/model/predict.hpp"
#include "worker/train/autotune.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

#ifdef LEADSWEEP_CUDA
constexpr bool kHasCuda = true;
#else
constexpr bool kHasCuda = false;
#endif

#define NEEDS_GPU                                                                                \
    do {                                                                                         \
        if (!kHasCuda) LEADSWEEP_SKIP("this build has no CUDA: ./dev build cuda makes one");     \
        if (!torch::cuda::is_available()) LEADSWEEP_SKIP("the NVIDIA driver shows no GPU here"); \
    } while (false)

namespace {

const torch::Device kGpu(torch::kCUDA, 0);

torch::Device gpu_of(int rank) {
    return {torch::kCUDA, static_cast<c10::DeviceIndex>(rank % static_cast<int>(torch::cuda::device_count()))};
}

/// Calls body on two threads, each a rank of a gang over NCCL; on one GPU if there is no second one.
void run_gpu_gang(const std::function<void(Communicator&, const torch::Device&)>& body) {
    if (torch::cuda::device_count() < 2) ::setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 1);  // NCCL 2.30
    const auto host = open_gang(gpu_of(0), "");
    std::vector<std::exception_ptr> errors(2);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < 2; ++rank)
        threads.emplace_back([&, rank] {
            try {
                const c10::DeviceGuard guard(gpu_of(rank));
                const auto gang = rank == 0 ? host->wait_for_gang(2, kPatience)
                                            : join_gang(gpu_of(rank), host->meeting_point(), rank, 2, kPatience);
                body(*gang, gpu_of(rank));
                gang->barrier();
            } catch (...) {
                errors[static_cast<std::size_t>(rank)] = std::current_exception();
            }
        });
    for (auto& thread : threads) thread.join();
    for (const auto& error : errors)
        if (error) std::rethrow_exception(error);
}

/// Training losses of the epochs.
std::vector<double> losses_of(const std::function<void(Run&)>& change, Communicator* gang = nullptr) {
    Run run;
    run.spec.train.epochs = 6;
    run.device = kGpu;
    run.spec.resources.autotune = "off";
    change(run);
    const auto outcome = gang != nullptr ? run.train_with(*gang) : run.train_alone();
    std::vector<double> losses;
    for (const auto& epoch : outcome.epochs) losses.push_back(epoch.train_loss);
    return losses;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    double largest = a.size() == b.size() ? 0 : 1e9;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

}  // namespace

TEST_CASE("GPU: the gang over NCCL keeps the contract of every communicator", "[gpu]") {
    NEEDS_GPU;
    Contract contract(2);
    run_gpu_gang([&](Communicator& gang, const torch::Device&) { contract.check(gang); });
    CHECK(contract.wrong == 0);
    CHECK(contract.visits == 2);
}

TEST_CASE("GPU: collectives on tensors of the GPU are right once they are looked at", "[gpu]") {
    NEEDS_GPU;
    std::atomic<int> wrong{0};
    run_gpu_gang([&](Communicator& gang, const torch::Device& device) {
        auto sum = torch::full({500'000}, gang.rank() + 1, torch::dtype(torch::kFloat32).device(device));
        for (int i = 0; i < 10; ++i) gang.all_reduce_sum_(sum);
        if (sum.min().item<float>() != 1536 || sum.max().item<float>() != 1536) ++wrong;
        const auto all = gang.all_gather(torch::full({3}, gang.rank(), torch::dtype(torch::kFloat64).device(device)));
        if (all[1][2].item<double>() != 1 || all[0][2].item<double>() != 0) ++wrong;
    });
    CHECK(wrong == 0);
}

TEST_CASE("GPU: a rank that leaves is an error on the other, and nobody hangs", "[gpu]") {
    NEEDS_GPU;
    std::atomic<int> errors{0};
    const auto ends_soon = [&] {
        run_gpu_gang([&](Communicator& gang, const torch::Device&) {
            gang.barrier();
            if (gang.rank() == 1) {
                gang.abort();
                return;
            }
            std::thread killer([&] {
                std::this_thread::sleep_for(std::chrono::seconds(5));
                gang.abort();  // what the supervisor's signal does where NCCL itself does not notice
            });
            try {
                gang.barrier();
            } catch (const CommError&) {
                ++errors;
            }
            killer.join();
        });
    };
    CHECK_THROWS_AS(ends_soon(), CommError);
    CHECK(errors == 1);
}

TEST_CASE("GPU: outputs and gradients are those of the CPU", "[gpu]") {
    NEEDS_GPU;
    const std::string name = GENERATE("inception", "fcn");
    JobSpec spec;
    spec.model.name = name;
    spec.sampling_hz = 75;
    const auto on_cpu = make_model(spec, 30);
    const auto on_gpu = make_model(spec, 30);
    on_gpu->to(kGpu);
    const auto records = torch::randn({8, 12, 750});
    const auto targets = torch::randint(0, 2, {8, 30}).to(torch::kFloat32);
    const auto alone = make_local_communicator();
    const auto gradient = [&](Model& model) {
        model.train();
        FlatParameters flat(model);
        bce_share(model.forward(records), targets.to(model.device()), 8, *alone).backward();
        return flat.gradients().to(torch::kCPU).clone();
    };
    CHECK(relative_difference(gradient(*on_gpu), gradient(*on_cpu)) < 1e-3);
    for (const char* layout : {"channels_last", "contiguous"}) {
        set_layout(*on_gpu, layout);
        const torch::NoGradGuard no_grad;
        on_cpu->eval();
        on_gpu->eval();
        const auto expected = on_cpu->forward(records);
        CHECK(relative_difference(on_gpu->forward(records).to(torch::kCPU), expected) < 1e-3);
        CHECK(relative_difference(on_gpu->fold()->forward(records).to(torch::kCPU), expected) < 1e-3);
    }
}

TEST_CASE("GPU: training has the losses of the CPU, whatever the switches", "[gpu]") {
    NEEDS_GPU;
    const auto reference = losses_of([](Run& run) { run.device = torch::kCPU; });
    const auto plain = losses_of([](Run& run) {
        run.spec.resources.cuda_graph = "off";
        run.spec.resources.data_on_device = "never";
    });
    CHECK(largest_difference(plain, reference) < 0.02);
    CHECK(largest_difference(losses_of([](Run& run) { run.spec.resources.cuda_graph = "off"; }), plain) < 0.01);
    CHECK(largest_difference(losses_of([](Run&) {}), plain) < 0.01);
    CHECK(largest_difference(losses_of([](Run& run) { run.spec.resources.autotune = "on"; }), plain) < 0.02);
    CHECK(largest_difference(losses_of([](Run& run) { run.spec.train.precision = "tf32"; }), plain) < 0.05);
    CHECK(largest_difference(losses_of([](Run& run) { run.spec.train.precision = "bf16"; }), plain) < 0.1);
    CHECK(largest_difference(losses_of([](Run& run) { run.spec.train.micro_batch = 3; }), losses_of([](Run& run) {
                                 run.spec.train.micro_batch = 3;
                                 run.device = torch::kCPU;
                             })) < 0.02);
    CHECK(reference.back() < 0.8 * reference.front());
}

TEST_CASE("GPU: two ranks over NCCL have the losses of one", "[gpu]") {
    NEEDS_GPU;
    const std::string loss = GENERATE("bce", "double_soft_f1");
    const auto one = losses_of([&](Run& run) { run.spec.loss = loss; });
    for (const char* graph : {"off", "on"}) {
        std::vector<double> two;
        run_gpu_gang([&](Communicator& gang, const torch::Device& device) {
            const auto mine = losses_of(
                [&](Run& run) {
                    run.spec.loss = loss;
                    run.device = device;
                    run.spec.resources.cuda_graph = graph;
                },
                &gang);
            if (gang.rank() == 0) two = mine;
        });
        CHECK(largest_difference(two, one) < 0.02);
    }
}

TEST_CASE("GPU: a record that is not finite is named, within a CUDA graph too", "[gpu]") {
    NEEDS_GPU;
    Run run;
    run.device = kGpu;
    const auto record = run.data().epoch_order(3)[20];  // by then every step is a replayed graph
    bool is_poisoned = false;
    run.hooks.on_epoch = [&](const Epoch& epoch) {
        if (epoch.epoch == 2) is_poisoned = true, run.problem.signals[record][1][3] = NAN;
    };
    run.spec.resources.data_on_device = "never";
    run.spec.train.epochs = 4;
    try {
        run.train_alone();
        FAIL("no error");
    } catch (const JobError& error) {
        CHECK(error.failure() == FailureClass::kInvalid);
        CHECK_THAT(error.what(), ContainsText("record " + std::to_string(record) + " "));
    }
    CHECK(is_poisoned);
}

TEST_CASE("GPU: LIME has the coefficients of the CPU", "[gpu]") {
    NEEDS_GPU;
    Run run;
    run.train_alone();
    run.spec.explain.perturbations = 200;
    run.spec.explain.segments = 4;
    const auto of = [&](const torch::Device& device) {
        run.model->to(device);
        return make_explainer(run.spec, run.model->fold(), {})->explain(run.records, 40).coefficients;
    };
    const auto expected = of(torch::kCPU);
    CHECK(relative_difference(of(kGpu), expected) < 1e-3);
}

// Records a second of the study's network (depth 6, kernels 40/20/10, 32 filters, 30 classes): one training step
// (forward, backward, Adam) and inference. Printed for people; nothing is asserted on time.
//
//     training_bench [--threads 2] [--batch 64] [--samples 750] [--steps 8]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "worker/registry.hpp"
#include "worker/train/process.hpp"

using namespace leadsweep;

namespace {

struct Options {
    int threads = 2;
    std::int64_t batch = 64;
    std::int64_t samples = 750;
    int steps = 8;
};

Options read_options(int count, char** words) {
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string name = words[i];
        const int value = std::atoi(words[i + 1]);
        if (name == "--threads")
            options.threads = value;
        else if (name == "--batch")
            options.batch = value;
        else if (name == "--samples")
            options.samples = value;
        else if (name == "--steps")
            options.steps = value;
        else
            std::fprintf(stderr, "unknown option %s\n", name.c_str());
    }
    return options;
}

struct Speed {
    double per_second = 0;
    double per_cpu_second = 0;  ///< says more where other programs share the cores; with one thread alone
};

double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Records by the median of `steps` calls, after two to warm up.
template <class Step>
Speed speed(const Options& options, Step&& step) {
    std::vector<double> seconds;
    std::vector<double> cpu;
    for (int i = 0; i < options.steps + 2; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const double cpu_start = cpu_seconds();
        step();
        if (i < 2) continue;
        seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        cpu.push_back(cpu_seconds() - cpu_start);
    }
    const auto records = static_cast<double>(options.batch);
    return {records / median(seconds), records / median(cpu)};
}

}  // namespace

int main(int count, char** words) {
    const Options options = read_options(count, words);
    prepare_process_for_training(options.threads);
    JobSpec spec;
    spec.sampling_hz = static_cast<double>(options.samples) / 10;
    const auto model = make_model(spec, 30);
    const auto parts = make_train_parts(spec);
    const auto alone = make_local_communicator();
    const auto records = torch::randn({options.batch, 12, options.samples});
    const auto targets = torch::randint(0, 2, {options.batch, 30}).to(torch::kFloat32);

    model->train();
    FlatParameters parameters(*model);
    const auto optimizer = parts.make_optimizer(parameters);
    optimizer->set_learning_rate(1e-3);
    const auto found_inf = torch::zeros({});
    const Speed training = speed(options, [&] {
        parameters.zero_gradients();
        parts.loss(model->forward(records), targets, options.batch, *alone).backward();
        optimizer->step(found_inf);
    });
    const torch::NoGradGuard no_grad;
    const auto folded = model->fold();
    const Speed inference = speed(options, [&] { folded->forward(records); });
    const auto print = [&](const char* what, Speed found) {
        std::printf("leadsweep %s: %lld samples, batch %lld, %d threads: %.1f records/s, %.1f per CPU second\n", what,
                    static_cast<long long>(options.samples), static_cast<long long>(options.batch), options.threads,
                    found.per_second, found.per_cpu_second);
    };
    print("training", training);
    print("inference", inference);
    return 0;
}

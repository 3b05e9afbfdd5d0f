// Seconds of a LIME explanation and of plain inference of as many records, on the study's network (depth 6, kernels
// 40/20/10, 32 filters, 30 classes), in turn, as JSON for explain.py.
//
//     explain_bench [--threads 2] [--samples 750] [--copies 320] [--rounds 1]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include "worker/model/predict.hpp"
#include "worker/registry.hpp"

using namespace leadsweep;

namespace {

struct Options {
    int threads = 2;
    std::int64_t samples = 750;
    std::int64_t copies = 320;
    int rounds = 1;
};

Options read_options(int count, char** words) {
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string name = words[i];
        const int value = std::atoi(words[i + 1]);
        if (name == "--threads")
            options.threads = value;
        else if (name == "--samples")
            options.samples = value;
        else if (name == "--copies")
            options.copies = value;
        else if (name == "--rounds")
            options.rounds = value;
        else
            std::fprintf(stderr, "unknown option %s\n", name.c_str());
    }
    return options;
}

class Noise final : public RecordSource {
public:
    explicit Noise(std::int64_t samples) : signal_(torch::randn({12, samples})) {}
    std::int64_t leads() const override { return 12; }
    std::int64_t samples() const override { return signal_.size(1); }
    void copy(std::int64_t, float* out) const override {
        std::copy_n(signal_.const_data_ptr<float>(), signal_.numel(), out);
    }

private:
    torch::Tensor signal_;
};

/// Adds the seconds of a piece of work by the clock and of all processors, the latter also where others use the
/// machine.
template <class Work>
void measure(nlohmann::json& seconds, const std::string& name, Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t cpu_start = std::clock();
    work();
    seconds[name + "_cpu_s"].push_back(static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
    seconds[name + "_s"].push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

}  // namespace

int main(int count, char** words) {
    const Options options = read_options(count, words);
    at::set_num_threads(options.threads);
    const torch::NoGradGuard no_grad;
    JobSpec spec;
    spec.sampling_hz = static_cast<double>(options.samples) / 10;
    spec.explain.perturbations = options.copies;
    const auto model = make_model(spec, 30);
    model->eval();
    const auto folded = model->fold();
    const Noise records(options.samples);
    const auto explainer = make_explainer(spec, folded, {});
    const std::vector<std::int32_t> many(static_cast<std::size_t>(options.copies), 0);
    predict(*folded, records, std::vector<std::int32_t>(64, 0));  // warms up
    nlohmann::json seconds;
    for (int round = 0; round < options.rounds; ++round) {
        measure(seconds, "plain", [&] { predict(*folded, records, many); });
        measure(seconds, "explained", [&] { explainer->explain(records, round); });
    }
    std::printf("%s\n", seconds.dump().c_str());
    return 0;
}

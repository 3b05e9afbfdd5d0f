#include "worker/bench.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include "shared/core/files.hpp"
#include "worker/comm/tcp.hpp"
#include "worker/devices.hpp"
#include "worker/model/predict.hpp"
#include "worker/registry.hpp"
#include "worker/train/precision.hpp"
#include "worker/train/process.hpp"

namespace leadsweep {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kLeads = 12;
constexpr std::int64_t kClasses = 30;
/// Multiplications of one record and sample going forward (study, table 1.2); an addition each, and thrice that to
/// train.
constexpr double kProductsPerSample = 489'728;
constexpr std::int64_t kMatrix = 2048;
constexpr auto kPatience = std::chrono::seconds(60);

double milliseconds_of(const std::function<void()>& body) {
    const auto start = Clock::now();
    body();
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Milliseconds of the median of `steps` calls, after two to warm up.
double median_ms(int steps, const torch::Device& device, const std::function<void()>& step) {
    std::vector<double> times;
    for (int i = 0; i < steps + 2; ++i) {
        const double took = milliseconds_of([&] {
            step();
            wait_for_device(device);
        });
        if (i >= 2) times.push_back(took);
    }
    return median(times);
}

double sgemm_gflops(const torch::Device& device) {
    const torch::NoGradGuard no_grad;
    const auto a = torch::rand({kMatrix, kMatrix}, device);
    const auto b = torch::rand({kMatrix, kMatrix}, device);
    auto c = torch::empty({kMatrix, kMatrix}, device);
    const double ms = median_ms(8, device, [&] { torch::mm_out(c, a, b); });
    return 2.0 * static_cast<double>(kMatrix * kMatrix * kMatrix) / ms / 1e6;
}

std::int64_t peak_bytes() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

/// Counts the time in collectives of the gang behind it.
class TimedCommunicator final : public Communicator {
public:
    explicit TimedCommunicator(Communicator& gang) : gang_(gang) {}
    int rank() const override { return gang_.rank(); }
    int size() const override { return gang_.size(); }
    void all_reduce_sum_(torch::Tensor& tensor) override {
        // What a rank waits for the others is no cost of the transport: it is counted apart, in the barrier.
        if (tensor.numel() >= kLarge) gang_.barrier();
        const double took = milliseconds_of([&] { gang_.all_reduce_sum_(tensor); });
        (tensor.numel() >= kLarge ? all_reduce_ms : small_ms) += took;
    }
    void broadcast_(torch::Tensor& tensor, int root) override { gang_.broadcast_(tensor, root); }
    torch::Tensor all_gather(const torch::Tensor& tensor) override {
        torch::Tensor gathered;
        small_ms += milliseconds_of([&] { gathered = gang_.all_gather(tensor); });
        return gathered;
    }
    void barrier() override { gang_.barrier(); }
    void abort() noexcept override { gang_.abort(); }

    double all_reduce_ms = 0;  ///< of the gradient
    double small_ms = 0;       ///< of BatchNorm's statistics, waiting for slower ranks included

private:
    static constexpr std::int64_t kLarge = 100'000;
    Communicator& gang_;
};

std::unique_ptr<Communicator> meet(const BenchOptions& options) {
    if (options.ranks == 1) return make_local_communicator();
    if (options.rank == 0) {
        const auto host = open_tcp_gang("127.0.0.1");
        const auto where = host->meeting_point();
        write_file_durably(options.meet, where.address + "\n" + where.token);
        return host->wait_for_gang(options.ranks, kPatience);
    }
    const auto deadline = Clock::now() + kPatience;
    while (!std::filesystem::exists(options.meet)) {
        if (Clock::now() > deadline) throw CommError("bench: rank 0 did not tell where to meet in " + options.meet);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const std::string text = read_file(options.meet);
    const auto line = text.find('\n');
    return join_tcp_gang({text.substr(0, line), text.substr(line + 1)}, options.rank, options.ranks, kPatience);
}

/// Enough records for a few batches of prediction.
class RandomRecords final : public RecordSource {
public:
    RandomRecords(std::int64_t count, std::int64_t samples) : all_(torch::randn({count, kLeads, samples})) {}
    std::int64_t leads() const override { return kLeads; }
    std::int64_t samples() const override { return all_.size(2); }
    void copy(std::int64_t record, float* out) const override {
        const auto row = all_[record];
        std::copy_n(row.const_data_ptr<float>(), row.numel(), out);
    }

private:
    torch::Tensor all_;  ///< [n, L, T]
};

constexpr std::int64_t kPredictedBatches = 4;

double predict_ms(const BenchOptions& options, Model& model) {
    const RandomRecords records(kPredictedBatches * options.batch, options.samples);
    std::vector<std::int32_t> all(static_cast<std::size_t>(kPredictedBatches * options.batch));
    std::iota(all.begin(), all.end(), 0);
    return median_ms(options.steps, model.device(), [&] { predict(model, records, all, options.batch); });
}

struct Measured {
    double step_ms = 0;
    double all_reduce_ms = 0;
    double small_ms = 0;
};

Measured measure_training(const BenchOptions& options, Model& model, const JobSpec& spec, Communicator& gang) {
    const auto device = model.device();
    TimedCommunicator timed(gang);
    const auto parts = make_train_parts(spec);
    model.train();
    TrainStep step(model, parts, timed, {.is_bf16 = options.precision == "bf16", .is_graphed = device.is_cuda()});
    step.set_learning_rate(1e-3);
    const std::int64_t share = options.batch / options.ranks;
    Batch batch{{{torch::randn({share, kLeads, options.samples}).to(device),
                  torch::randint(0, 2, {share, kClasses}).to(device, torch::kFloat32),
                  std::vector<std::int32_t>(static_cast<std::size_t>(share))}},
                share * options.ranks};
    int calls = 0;
    Measured found;
    found.step_ms = median_ms(options.steps, device, [&] {
        if (++calls == 3) timed.all_reduce_ms = timed.small_ms = 0;
        step.start(batch, false);
        step.finish();
    });
    found.all_reduce_ms = timed.all_reduce_ms / options.steps;
    found.small_ms = timed.small_ms / options.steps;
    return found;
}

}  // namespace

int run_bench(const BenchOptions& options) {
    const Device device = find_device(options.device, options.threads);
    // A rank of a gang takes its share of the cores as they come: the measure is of the transport.
    take_device(device.uuid, options.ranks == 1 ? device.cores : std::vector<int>{});
    prepare_process_for_training(options.threads);
    const torch::Device where = torch_device_of(device);
    const PrecisionScope precision(options.precision, where);
    const double sgemm = options.ranks == 1 ? sgemm_gflops(where) : 0;
    JobSpec spec;
    spec.sampling_hz = static_cast<double>(options.samples) / 10;
    const auto model = make_model(spec, kClasses);
    model->to(where);
    const auto gang = meet(options);
    const double gflop = 2 * kProductsPerSample * static_cast<double>(options.samples * options.batch) / 1e9;
    const Measured training = measure_training(options, *model, spec, *gang);
    nlohmann::json found = {{"device", device.name},
                            {"threads", options.threads},
                            {"samples", options.samples},
                            {"batch", options.batch},
                            {"training_records_per_s", 1000.0 * static_cast<double>(options.batch) / training.step_ms},
                            {"training_gflops", 3 * gflop / training.step_ms * 1000},
                            {"peak_bytes", peak_bytes()}};
    if (options.ranks == 1) {
        const double ms = predict_ms(options, *model->fold()) / kPredictedBatches;
        found["inference_records_per_s"] = 1000.0 * static_cast<double>(options.batch) / ms;
        found["inference_gflops"] = gflop / ms * 1000;
        found["sgemm_gflops"] = sgemm;
    } else {
        found["step_ms"] = training.step_ms;
        found["all_reduce_ms"] = training.all_reduce_ms;
        found["statistics_ms"] = training.small_ms;
    }
    if (options.rank == 0) std::cout << found.dump() << std::endl;
    gang->barrier();
    return 0;
}

}  // namespace leadsweep

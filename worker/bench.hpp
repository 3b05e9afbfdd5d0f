// `leadsweep-worker bench`: how fast this machine trains and predicts with the study's network (depth 6, kernels
// 40/20/10, 32 filters, 30 classes), and how near that is to its own matrix product. Printed, never asserted on.
#pragma once

#include <cstdint>
#include <string>

namespace leadsweep {

struct BenchOptions {
    std::string device = "cpu";
    int threads = 2;
    std::int64_t batch = 64;
    std::int64_t samples = 750;
    int steps = 6;
    std::string precision = "fp32";
    // One rank of a gang over TCP: how much of a step its collectives take.
    int rank = 0;
    int ranks = 1;
    std::string meet;  ///< file in which rank 0 tells where to meet
};

/// Prints one line of JSON: records_per_s of training and inference, gflops of training, inference and sgemm,
/// peak_bytes; of a gang also step_ms, all_reduce_ms, collectives_ms. Returns an exit code; throws InputError,
/// CommError.
int run_bench(const BenchOptions& options);

}  // namespace leadsweep

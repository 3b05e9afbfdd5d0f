#include "worker/train/process.hpp"

#include <malloc.h>
#include <torch/torch.h>

namespace leadsweep {

void prepare_process_for_training(int threads) {
    // A training step frees and takes the same gigabytes again: given back, the kernel would zero them anew each time.
    // One arena, because those of further threads are made of 64 MiB pieces and cannot hold a layer's output.
    ::mallopt(M_MMAP_MAX, 0);
    ::mallopt(M_TRIM_THRESHOLD, -1);
    ::mallopt(M_TOP_PAD, 64 * 1024 * 1024);
    ::mallopt(M_ARENA_MAX, 1);
    at::set_num_threads(threads);
    at::set_num_interop_threads(1);
    at::globalContext().setFlushDenormal(true);
    at::parallel_for(0, threads, 1, [](std::int64_t, std::int64_t) { at::globalContext().setFlushDenormal(true); });
}

void release_unused_memory() {
    ::malloc_trim(0);
}

}  // namespace leadsweep

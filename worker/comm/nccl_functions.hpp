// What the gang over NCCL asks of NCCL and of the GPU, as tables of functions: filled from the loaded libnccl and the
// CUDA runtime in nccl.cpp, and by tests with functions that move host memory. No CUDA header is needed to use them.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>

#include <torch/types.h>

namespace leadsweep {

/// ncclResult_t.
enum class NcclResult : int {
    kSuccess = 0,
    kUnhandledCudaError = 1,
    kSystemError = 2,
    kInternalError = 3,
    kInvalidArgument = 4,
    kInvalidUsage = 5,
    kRemoteError = 6,
    kInProgress = 7
};

/// ncclUniqueId.
struct NcclId {
    std::array<char, 128> bytes{};
};

/// ncclComm_t.
using NcclComm = void*;

/// Functions of NCCL under the names they have there, for one device. `stream` is a cudaStream_t. The communicator that
/// `init_rank` makes does not block: it and every other call may answer kInProgress, until async_error answers
/// something else. Sums are ncclSum.
struct NcclFunctions {
    std::function<NcclResult(NcclId*)> get_unique_id;
    std::function<NcclResult(NcclComm*, int size, const NcclId&, int rank)> init_rank;
    std::function<NcclResult(NcclComm, NcclResult*)> async_error;
    std::function<NcclResult(NcclComm)> finalize;
    std::function<NcclResult(NcclComm)> destroy;
    std::function<NcclResult(NcclComm)> abort;
    std::function<std::string(NcclResult)> error_text;
    std::function<NcclResult(const void* from, void* to, std::size_t count, torch::ScalarType, NcclComm, void* stream)>
        all_reduce_sum;
    std::function<NcclResult(const void* from, void* to, std::size_t count, torch::ScalarType, int root, NcclComm,
                             void* stream)>
        broadcast;
    std::function<NcclResult(const void* from, void* to, std::size_t count, torch::ScalarType, NcclComm, void* stream)>
        all_gather;
};

/// What is asked of the GPU.
struct GpuFunctions {
    std::function<bool(const torch::Tensor&)> holds;            ///< the tensor's memory is this GPU's
    std::function<torch::Tensor(const torch::Tensor&)> upload;  ///< a contiguous copy in its memory
    std::function<void*()> stream;                              ///< on which work is queued now
    std::function<bool()> is_capturing;                         ///< that stream's work goes into a CUDA graph
    std::function<void()> mark;                                 ///< marks the end of what is queued
    std::function<bool()> is_mark_reached;                      ///< may be called from another thread
    std::function<void()> synchronise;                          ///< waits for what is queued
};

}  // namespace leadsweep

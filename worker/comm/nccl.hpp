// The gang over NCCL, for workers on GPUs. NCCL is not linked: its functions come from the libnccl that LibTorch has
// loaded, so that the two cannot differ. In a worker built without CUDA both functions throw CommError.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "worker/comm/communicator.hpp"

namespace leadsweep {

/// Makes a unique id (its address is the id in hexadecimal; NCCL's id is its own secret, the token stays empty).
/// `device` is the GPU of this rank. Throws CommError.
std::unique_ptr<GangHost> open_nccl_gang(const torch::Device& device);

/// Joins as `rank` of `size`. Throws CommError when the others have not come in time.
std::unique_ptr<Communicator> join_nccl_gang(const torch::Device& device, const MeetingPoint& where, int rank, int size,
                                             std::chrono::milliseconds patience);

/// "NCCL 2.30.7 (headers 2.30.7, /path/libnccl.so.2), CUDA runtime 13.2 (headers 13.2, /path/libcudart.so.13)": what
/// this process has loaded. Throws CommError where a library is missing or older than the headers it was built with.
std::string describe_nccl();

}  // namespace leadsweep

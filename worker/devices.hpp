// What this machine has to compute on, and how a worker takes one of it.
#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "shared/protocol/messages.hpp"

namespace leadsweep {

/// GPUs where there are any (CUDA build; CUDA_VISIBLE_DEVICES is honoured), else CPU devices of `threads` cores each
/// out of those this process may run on. Throws InputError where threads < 1 or more than there are cores.
std::vector<Device> list_devices(int threads);

/// The device of this id, for this process alone: CPU threads are pinned to `cores` (all, if empty).
/// Throws InputError naming the devices there are.
Device take_device(const std::string& uuid, const std::vector<int>& cores);

/// The device that a person means by "cpu", "cuda", "cuda:1", or an id as list_devices() tells it. A CPU device has
/// `threads` cores. Throws InputError naming the check that failed: no CUDA in this build, no driver, a driver that
/// refuses, no GPU to be seen, no such index, or a LibTorch that cannot use it.
Device find_device(const std::string& name, int threads);

/// Where the tensors of a device lie.
torch::Device torch_device_of(const Device& device);

/// "2.15.0, CUDA 13.2, NCCL 2.30.7" or "2.15.0, no CUDA": what the worker was built with and has loaded.
std::string describe_build();

}  // namespace leadsweep

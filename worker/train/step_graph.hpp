// A training step as one CUDA graph: some thousand launches become one. In a worker built without CUDA nothing can be
// captured.
#pragma once

#include <functional>
#include <memory>

#include <torch/types.h>

namespace leadsweep {

class StepGraph {
public:
    virtual ~StepGraph() = default;
    /// Queues the captured work again, on the memory that it was captured with.
    virtual void replay() = 0;
};

/// Captures what `step` queues on the current stream (which must not be the default one); nothing of it is computed.
/// Throws c10::Error where something in it cannot be captured, std::logic_error without CUDA.
std::unique_ptr<StepGraph> capture_step(const std::function<void()>& step);

/// While it lives, the calling thread queues its work for `device` on a stream of its own, as capturing needs; nothing
/// on CPUs. Waits for that work at the end.
class StepStream {
public:
    explicit StepStream(const torch::Device& device);
    ~StepStream();
    StepStream(const StepStream&) = delete;
    StepStream& operator=(const StepStream&) = delete;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Waits for all work queued on the current stream of a GPU; nothing on CPUs.
void wait_for_device(const torch::Device& device);

/// Bytes of a GPU's memory that nobody uses; 0 on CPUs.
std::size_t free_device_bytes(const torch::Device& device);

}  // namespace leadsweep

#include "worker/train/step_graph.hpp"

#include <stdexcept>

#ifdef LEADSWEEP_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace leadsweep {

#ifdef LEADSWEEP_CUDA
namespace {

class CapturedStep final : public StepGraph {
public:
    explicit CapturedStep(const std::function<void()>& step) {
        c10::cuda::getCurrentCUDAStream().synchronize();
        // Only this thread's calls are watched for what capturing forbids: the communicator's watching thread asks
        // about events of earlier steps meanwhile.
        graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
        try {
            step();
        } catch (...) {
            end_capture_after_failure();
            throw;
        }
        graph_.capture_end();
    }
    void replay() override { graph_.replay(); }

private:
    /// The stream is of no use until its capture has ended; that this fails too says nothing new.
    void end_capture_after_failure() {
        try {
            graph_.capture_end();
        } catch (const c10::Error&) {
            graph_.reset();
        }
    }

    at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<StepGraph> capture_step(const std::function<void()>& step) {
    return std::make_unique<CapturedStep>(step);
}

struct StepStream::State {
    explicit State(const torch::Device& device)
        : stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())), guard(stream) {}
    c10::cuda::CUDAStream stream;
    c10::cuda::CUDAStreamGuard guard;
};

StepStream::StepStream(const torch::Device& device) {
    if (!device.is_cuda()) return;
    wait_for_device(device);
    state_ = std::make_unique<State>(device);
}

StepStream::~StepStream() {
    // An error of the device was or will be told by whoever looks at results: a destructor only waits.
    if (state_) cudaStreamSynchronize(state_->stream.stream());
}

void wait_for_device(const torch::Device& device) {
    if (device.is_cuda()) c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
}

std::size_t free_device_bytes(const torch::Device& device) {
    std::size_t free_bytes = 0;
    std::size_t all_bytes = 0;
    if (!device.is_cuda()) return 0;
    const c10::cuda::CUDAGuard guard(device);
    return cudaMemGetInfo(&free_bytes, &all_bytes) == cudaSuccess ? free_bytes : 0;
}

#else

std::unique_ptr<StepGraph> capture_step(const std::function<void()>&) {
    throw std::logic_error("this worker was built without CUDA: it captures no graph");
}

struct StepStream::State {};
StepStream::StepStream(const torch::Device&) {}
StepStream::~StepStream() = default;
void wait_for_device(const torch::Device&) {}
std::size_t free_device_bytes(const torch::Device&) {
    return 0;
}

#endif

}  // namespace leadsweep

#include "worker/comm/nccl.hpp"

#ifdef LEADSWEEP_CUDA

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <nccl.h>

#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a collective may be under way before its group is ended: longer than any rank's validation or explanation.
constexpr std::chrono::milliseconds kCollectivePatience = std::chrono::minutes(15);
constexpr std::chrono::milliseconds kPollInterval{1};
constexpr std::chrono::milliseconds kWatchInterval{100};

/// The functions of the libnccl that is already in this process.
struct NcclFunctions {
    decltype(&ncclGetVersion) get_version;
    decltype(&ncclGetUniqueId) get_unique_id;
    decltype(&ncclCommInitRankConfig) comm_init_rank_config;
    decltype(&ncclCommGetAsyncError) comm_get_async_error;
    decltype(&ncclCommAbort) comm_abort;
    decltype(&ncclGetErrorString) get_error_string;
    decltype(&ncclAllReduce) all_reduce;
    decltype(&ncclBroadcast) broadcast;
    decltype(&ncclAllGather) all_gather;
};

template <class Function>
void resolve(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    if (function == nullptr) throw CommError(fmt::format("NCCL: {} is missing in the libnccl of this LibTorch", name));
}

NcclFunctions load_functions() {
    void* library = ::dlopen("libnccl.so.2", RTLD_NOLOAD | RTLD_NOW);
    if (library == nullptr)
        throw CommError("NCCL: LibTorch has not loaded libnccl.so.2; this worker needs a LibTorch built with CUDA");
    NcclFunctions found{};
    resolve(library, "ncclGetVersion", found.get_version);
    resolve(library, "ncclGetUniqueId", found.get_unique_id);
    resolve(library, "ncclCommInitRankConfig", found.comm_init_rank_config);
    resolve(library, "ncclCommGetAsyncError", found.comm_get_async_error);
    resolve(library, "ncclCommAbort", found.comm_abort);
    resolve(library, "ncclGetErrorString", found.get_error_string);
    resolve(library, "ncclAllReduce", found.all_reduce);
    resolve(library, "ncclBroadcast", found.broadcast);
    resolve(library, "ncclAllGather", found.all_gather);
    int version = 0;
    if (found.get_version(&version) != ncclSuccess || version < NCCL_VERSION_CODE)
        throw CommError(fmt::format("NCCL: version {} is loaded, this worker was built for {} or later", version,
                                    static_cast<int>(NCCL_VERSION_CODE)));
    return found;
}

const NcclFunctions& nccl() {
    static const NcclFunctions functions = load_functions();
    return functions;
}

ncclDataType_t nccl_type_of(const torch::Tensor& tensor) {
    switch (tensor.scalar_type()) {
        case torch::kFloat32:
            return ncclFloat32;
        case torch::kFloat64:
            return ncclFloat64;
        case torch::kInt64:
            return ncclInt64;
        case torch::kInt32:
            return ncclInt32;
        case torch::kUInt8:
            return ncclUint8;
        default:
            throw CommError("NCCL: this element type is not moved");
    }
}

/// A non-blocking communicator. Collectives are queued on the current stream; a thread watches for errors and for
/// collectives that do not end, and aborts the communicator, which also ends the kernels that wait for a lost peer.
class NcclCommunicator final : public Communicator {
public:
    NcclCommunicator(torch::Device device, const ncclUniqueId& id, int rank, int size,
                     std::chrono::milliseconds patience)
        : device_(device), rank_(rank), size_(size), last_done_(cudaEventDisableTiming) {
        const c10::cuda::CUDAGuard guard(device_);
        ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
        config.blocking = 0;
        const ncclResult_t started = nccl().comm_init_rank_config(&comm_, size, id, rank, &config);
        try {
            settle(started, "joining", Clock::now() + patience);
        } catch (...) {
            abort();
            throw;
        }
        watcher_ = std::jthread([this](std::stop_token stop) { watch(stop); });
    }

    ~NcclCommunicator() override {
        watcher_.request_stop();
        if (watcher_.joinable()) watcher_.join();
        abort();
    }

    int rank() const override { return rank_; }
    int size() const override { return size_; }

    void all_reduce_sum_(torch::Tensor& tensor) override {
        auto moved = tensor.detach().to(device_).contiguous();
        enqueue("all-reduce", [&](cudaStream_t stream) {
            return nccl().all_reduce(moved.const_data_ptr(), moved.mutable_data_ptr(), count_of(moved),
                                     nccl_type_of(moved), ncclSum, comm_, stream);
        });
        copy_back(moved, tensor);
    }

    void broadcast_(torch::Tensor& tensor, int root) override {
        auto moved = tensor.detach().to(device_).contiguous();
        enqueue("broadcast", [&](cudaStream_t stream) {
            return nccl().broadcast(moved.const_data_ptr(), moved.mutable_data_ptr(), count_of(moved),
                                    nccl_type_of(moved), root, comm_, stream);
        });
        copy_back(moved, tensor);
    }

    torch::Tensor all_gather(const torch::Tensor& tensor) override {
        const auto moved = tensor.detach().to(device_).contiguous();
        std::vector<std::int64_t> shape{size_};
        shape.insert(shape.end(), moved.sizes().begin(), moved.sizes().end());
        auto gathered = torch::empty(shape, moved.options());
        enqueue("all-gather", [&](cudaStream_t stream) {
            return nccl().all_gather(moved.const_data_ptr(), gathered.mutable_data_ptr(), count_of(moved),
                                     nccl_type_of(moved), comm_, stream);
        });
        if (tensor.device() == device_) return gathered;
        gathered = gathered.to(tensor.device());
        throw_if_ended();
        return gathered;
    }

    void barrier() override {
        auto one = torch::ones({1}, torch::dtype(torch::kFloat32).device(device_));
        all_reduce_sum_(one);
        c10::cuda::getCurrentCUDAStream(device_.index()).synchronize();
        throw_if_ended();
    }

    void abort() noexcept override {
        const std::lock_guard lock(mutex_);
        abort_locked();
    }

private:
    static std::size_t count_of(const torch::Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

    /// A tensor that lies on the host was moved by a copy; reading that back waits, and may have waited for nothing.
    void copy_back(const torch::Tensor& moved, torch::Tensor& tensor) {
        if (moved.const_data_ptr() == tensor.const_data_ptr()) return;
        tensor.detach().copy_(moved);
        if (tensor.device() != device_) throw_if_ended();
    }

    template <class Collective>
    void enqueue(const char* name, Collective&& collective) {
        const c10::cuda::CUDAGuard guard(device_);
        const auto stream = c10::cuda::getCurrentCUDAStream(device_.index());
        const std::lock_guard lock(mutex_);
        if (comm_ == nullptr) throw CommError(why_ended_);
        try {
            settle(collective(stream.stream()), name, Clock::now() + kCollectivePatience);
        } catch (const CommError& error) {
            why_ended_ = error.what();
            abort_locked();
            throw;
        }
        last_done_.record(stream);
        last_started_ = Clock::now();
    }

    /// A non-blocking communicator answers "in progress" until the call has really been made.
    void settle(ncclResult_t result, const char* what, Clock::time_point deadline) const {
        while (result == ncclInProgress) {
            if (Clock::now() >= deadline)
                throw CommError(fmt::format("NCCL: {} of rank {} of {} did not end in time", what, rank_, size_));
            std::this_thread::sleep_for(kPollInterval);
            const ncclResult_t asked = nccl().comm_get_async_error(comm_, &result);
            if (asked != ncclSuccess) result = asked;
        }
        if (result != ncclSuccess)
            throw CommError(
                fmt::format("NCCL: {} of rank {} of {}: {}", what, rank_, size_, nccl().get_error_string(result)));
    }

    void watch(const std::stop_token& stop) {
        std::condition_variable_any wake;
        std::mutex asleep;
        std::unique_lock sleeping(asleep);
        while (!wake.wait_for(sleeping, stop, kWatchInterval, [] { return false; }) && !stop.stop_requested()) {
            const std::lock_guard lock(mutex_);
            if (comm_ == nullptr) return;
            ncclResult_t state = ncclSuccess;
            const ncclResult_t asked = nccl().comm_get_async_error(comm_, &state);
            if (asked != ncclSuccess) state = asked;
            const bool is_broken = state != ncclSuccess && state != ncclInProgress;
            const bool is_stuck =
                last_done_.isCreated() && !last_done_.query() && Clock::now() - last_started_ > kCollectivePatience;
            if (!is_broken && !is_stuck) continue;
            why_ended_ = is_stuck ? "NCCL: a collective did not end in time: a peer is gone or stuck"
                                  : fmt::format("NCCL: {}", nccl().get_error_string(state));
            abort_locked();
        }
    }

    void throw_if_ended() {
        const std::lock_guard lock(mutex_);
        if (comm_ == nullptr) throw CommError(why_ended_);
    }

    void abort_locked() noexcept {
        if (comm_ == nullptr) return;
        nccl().comm_abort(comm_);
        comm_ = nullptr;
    }

    torch::Device device_;
    int rank_;
    int size_;
    std::mutex mutex_;
    ncclComm_t comm_ = nullptr;
    std::string why_ended_ = "NCCL: the group has been ended";
    at::cuda::CUDAEvent last_done_;
    Clock::time_point last_started_{};
    std::jthread watcher_;
};

std::string to_hex(const ncclUniqueId& id) {
    std::string text;
    for (const char byte : id.internal) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
}

ncclUniqueId from_hex(const std::string& text) {
    ncclUniqueId id{};
    if (text.size() != 2 * sizeof id.internal)
        throw CommError(
            fmt::format("NCCL: an id of {} hexadecimal digits, expected {}", text.size(), 2 * sizeof id.internal));
    for (std::size_t i = 0; i < sizeof id.internal; ++i)
        id.internal[i] = static_cast<char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
    return id;
}

class NcclGangHost final : public GangHost {
public:
    explicit NcclGangHost(torch::Device device) : device_(device) {
        const ncclResult_t result = nccl().get_unique_id(&id_);
        if (result != ncclSuccess) throw CommError(fmt::format("NCCL: no id: {}", nccl().get_error_string(result)));
    }
    MeetingPoint meeting_point() const override { return {to_hex(id_), ""}; }
    std::unique_ptr<Communicator> wait_for_gang(int size, std::chrono::milliseconds patience) override {
        return std::make_unique<NcclCommunicator>(device_, id_, 0, size, patience);
    }

private:
    torch::Device device_;
    ncclUniqueId id_{};
};

}  // namespace

std::unique_ptr<GangHost> open_nccl_gang(const torch::Device& device) {
    return std::make_unique<NcclGangHost>(device);
}

std::unique_ptr<Communicator> join_nccl_gang(const torch::Device& device, const MeetingPoint& where, int rank, int size,
                                             std::chrono::milliseconds patience) {
    return std::make_unique<NcclCommunicator>(device, from_hex(where.address), rank, size, patience);
}

std::string describe_nccl() {
    int version = 0;
    nccl().get_version(&version);
    Dl_info place{};
    ::dladdr(reinterpret_cast<const void*>(nccl().get_version), &place);
    return fmt::format("NCCL {}.{}.{} ({})", version / 10000, version % 10000 / 100, version % 100,
                       place.dli_fname ? place.dli_fname : "?");
}

}  // namespace leadsweep

#else

namespace leadsweep {

std::unique_ptr<GangHost> open_nccl_gang(const torch::Device&) {
    throw CommError("this worker was built without CUDA: workers on GPUs need ./dev build cuda");
}

std::unique_ptr<Communicator> join_nccl_gang(const torch::Device&, const MeetingPoint&, int, int,
                                             std::chrono::milliseconds) {
    throw CommError("this worker was built without CUDA: workers on GPUs need ./dev build cuda");
}

std::string describe_nccl() {
    return "no NCCL";
}

}  // namespace leadsweep

#endif

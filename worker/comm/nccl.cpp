#include "worker/comm/nccl.hpp"

#ifdef LEADSWEEP_CUDA

#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <nccl.h>

#include "worker/comm/nccl_communicator.hpp"

namespace leadsweep {
namespace {

static_assert(static_cast<int>(NcclResult::kSuccess) == ncclSuccess);
static_assert(static_cast<int>(NcclResult::kUnhandledCudaError) == ncclUnhandledCudaError);
static_assert(static_cast<int>(NcclResult::kSystemError) == ncclSystemError);
static_assert(static_cast<int>(NcclResult::kInternalError) == ncclInternalError);
static_assert(static_cast<int>(NcclResult::kInvalidArgument) == ncclInvalidArgument);
static_assert(static_cast<int>(NcclResult::kInvalidUsage) == ncclInvalidUsage);
static_assert(static_cast<int>(NcclResult::kRemoteError) == ncclRemoteError);
static_assert(static_cast<int>(NcclResult::kInProgress) == ncclInProgress);
static_assert(sizeof(NcclId) == sizeof(ncclUniqueId));

/// The functions of the libnccl that is already in this process.
struct Library {
    decltype(&ncclGetVersion) get_version;
    decltype(&ncclGetUniqueId) get_unique_id;
    decltype(&ncclCommInitRankConfig) init_rank;
    decltype(&ncclCommGetAsyncError) async_error;
    decltype(&ncclCommFinalize) finalize;
    decltype(&ncclCommDestroy) destroy;
    decltype(&ncclCommAbort) abort;
    decltype(&ncclGetErrorString) error_text;
    decltype(&ncclAllReduce) all_reduce;
    decltype(&ncclBroadcast) broadcast;
    decltype(&ncclAllGather) all_gather;
    int version;
};

template <class Function>
void resolve(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    if (function == nullptr) throw CommError(fmt::format("NCCL: {} is missing in the libnccl of this LibTorch", name));
}

std::string show_nccl_version(int version) {
    return fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
}
std::string show_cuda_version(int version) {
    return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

template <class Function>
std::string file_of(Function function) {
    Dl_info place{};
    ::dladdr(reinterpret_cast<const void*>(function), &place);
    return place.dli_fname != nullptr ? place.dli_fname : "?";
}

Library load_library() {
    void* library = ::dlopen("libnccl.so.2", RTLD_NOLOAD | RTLD_NOW);
    if (library == nullptr)
        throw CommError("NCCL: LibTorch has not loaded libnccl.so.2; this worker needs a LibTorch built with CUDA");
    Library found{};
    resolve(library, "ncclGetVersion", found.get_version);
    resolve(library, "ncclGetUniqueId", found.get_unique_id);
    resolve(library, "ncclCommInitRankConfig", found.init_rank);
    resolve(library, "ncclCommGetAsyncError", found.async_error);
    resolve(library, "ncclCommFinalize", found.finalize);
    resolve(library, "ncclCommDestroy", found.destroy);
    resolve(library, "ncclCommAbort", found.abort);
    resolve(library, "ncclGetErrorString", found.error_text);
    resolve(library, "ncclAllReduce", found.all_reduce);
    resolve(library, "ncclBroadcast", found.broadcast);
    resolve(library, "ncclAllGather", found.all_gather);
    if (found.get_version(&found.version) != ncclSuccess || found.version < NCCL_VERSION_CODE)
        throw CommError(fmt::format("NCCL: version {} is loaded from {}, this worker was built for {} or later: "
                                    "remove the other libnccl from LD_LIBRARY_PATH",
                                    show_nccl_version(found.version), file_of(found.get_version),
                                    show_nccl_version(NCCL_VERSION_CODE)));
    return found;
}

const Library& library() {
    static const Library loaded = load_library();
    return loaded;
}

ncclDataType_t nccl_type_of(torch::ScalarType type) {
    switch (type) {
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

NcclResult result_of(ncclResult_t result) {
    return static_cast<NcclResult>(result);
}
ncclComm_t comm_of(NcclComm comm) {
    return static_cast<ncclComm_t>(comm);
}
cudaStream_t stream_of(void* stream) {
    return static_cast<cudaStream_t>(stream);
}
ncclUniqueId id_of(const NcclId& id) {
    ncclUniqueId found{};
    std::copy(id.bytes.begin(), id.bytes.end(), found.internal);
    return found;
}

void fill_life_of_communicators(NcclFunctions& table, const torch::Device& device) {
    const Library& nccl = library();
    table.get_unique_id = [&nccl](NcclId* id) {
        ncclUniqueId made{};
        const ncclResult_t result = nccl.get_unique_id(&made);
        std::copy(std::begin(made.internal), std::end(made.internal), id->bytes.begin());
        return result_of(result);
    };
    table.init_rank = [&nccl, device](NcclComm* comm, int size, const NcclId& id, int rank) {
        const c10::cuda::CUDAGuard guard(device);
        ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
        config.blocking = 0;
        ncclComm_t made = nullptr;
        const ncclResult_t result = nccl.init_rank(&made, size, id_of(id), rank, &config);
        *comm = made;
        return result_of(result);
    };
    table.async_error = [&nccl](NcclComm comm, NcclResult* state) {
        ncclResult_t found = ncclSuccess;
        const ncclResult_t result = nccl.async_error(comm_of(comm), &found);
        *state = result_of(found);
        return result_of(result);
    };
    table.finalize = [&nccl](NcclComm comm) { return result_of(nccl.finalize(comm_of(comm))); };
    table.destroy = [&nccl](NcclComm comm) { return result_of(nccl.destroy(comm_of(comm))); };
    table.abort = [&nccl, device](NcclComm comm) {
        const c10::cuda::CUDAGuard guard(device);
        return result_of(nccl.abort(comm_of(comm)));
    };
    table.error_text = [&nccl](NcclResult result) {
        return std::string(nccl.error_text(static_cast<ncclResult_t>(result)));
    };
}

NcclFunctions nccl_functions(const torch::Device& device) {
    const Library& nccl = library();
    NcclFunctions table;
    fill_life_of_communicators(table, device);
    table.all_reduce_sum = [&nccl, device](const void* from, void* to, std::size_t count, torch::ScalarType type,
                                           NcclComm comm, void* stream) {
        const c10::cuda::CUDAGuard guard(device);
        return result_of(
            nccl.all_reduce(from, to, count, nccl_type_of(type), ncclSum, comm_of(comm), stream_of(stream)));
    };
    table.broadcast = [&nccl, device](const void* from, void* to, std::size_t count, torch::ScalarType type, int root,
                                      NcclComm comm, void* stream) {
        const c10::cuda::CUDAGuard guard(device);
        return result_of(nccl.broadcast(from, to, count, nccl_type_of(type), root, comm_of(comm), stream_of(stream)));
    };
    table.all_gather = [&nccl, device](const void* from, void* to, std::size_t count, torch::ScalarType type,
                                       NcclComm comm, void* stream) {
        const c10::cuda::CUDAGuard guard(device);
        return result_of(nccl.all_gather(from, to, count, nccl_type_of(type), comm_of(comm), stream_of(stream)));
    };
    return table;
}

GpuFunctions gpu_functions(const torch::Device& device) {
    const auto last = std::make_shared<at::cuda::CUDAEvent>(cudaEventDisableTiming);
    const auto current = [device] { return c10::cuda::getCurrentCUDAStream(device.index()); };
    GpuFunctions table;
    table.holds = [device](const torch::Tensor& tensor) { return tensor.device() == device; };
    table.upload = [device](const torch::Tensor& tensor) {
        return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/false, /*copy=*/true).contiguous();
    };
    table.stream = [current]() -> void* { return current().stream(); };
    table.is_capturing = [device] {
        const c10::cuda::CUDAGuard guard(device);
        return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None;
    };
    table.mark = [device, current, last] {
        const c10::cuda::CUDAGuard guard(device);
        last->record(current());
    };
    table.is_mark_reached = [last] { return !last->isCreated() || last->query(); };
    table.synchronise = [current] { current().synchronize(); };
    return table;
}

/// Tensors say "cuda:0", never "cuda": the two are compared.
torch::Device with_index(const torch::Device& device) {
    return device.has_index() ? device : torch::Device(torch::kCUDA, c10::cuda::current_device());
}

class NcclGangHost final : public GangHost {
public:
    explicit NcclGangHost(const torch::Device& device) : device_(with_index(device)), nccl_(nccl_functions(device_)) {
        const NcclResult result = nccl_.get_unique_id(&id_);
        if (result != NcclResult::kSuccess)
            throw CommError(fmt::format("NCCL: no id: {}", nccl_.error_text(result)));
    }
    MeetingPoint meeting_point() const override { return {to_hex(id_), ""}; }
    std::unique_ptr<Communicator> wait_for_gang(int size, std::chrono::milliseconds patience) override {
        return join_nccl_group(nccl_, gpu_functions(device_), id_, 0, size, patience);
    }

private:
    torch::Device device_;
    NcclFunctions nccl_;
    NcclId id_;
};

}  // namespace

std::unique_ptr<GangHost> open_nccl_gang(const torch::Device& device) {
    return std::make_unique<NcclGangHost>(device);
}

std::unique_ptr<Communicator> join_nccl_gang(const torch::Device& device, const MeetingPoint& where, int rank, int size,
                                             std::chrono::milliseconds patience) {
    const torch::Device mine = with_index(device);
    return join_nccl_group(nccl_functions(mine), gpu_functions(mine), nccl_id_from_hex(where.address), rank, size,
                           patience);
}

std::string describe_nccl() {
    int cuda = 0;
    if (cudaRuntimeGetVersion(&cuda) != cudaSuccess || cuda < CUDART_VERSION)
        throw CommError(fmt::format("CUDA: runtime {} is loaded from {}, this worker was built for {} or later: "
                                    "remove the other libcudart from LD_LIBRARY_PATH",
                                    show_cuda_version(cuda), file_of(&cudaRuntimeGetVersion),
                                    show_cuda_version(CUDART_VERSION)));
    return fmt::format("NCCL {} (headers {}, {}), CUDA runtime {} (headers {}, {})",
                       show_nccl_version(library().version), show_nccl_version(NCCL_VERSION_CODE),
                       file_of(library().get_version), show_cuda_version(cuda), show_cuda_version(CUDART_VERSION),
                       file_of(&cudaRuntimeGetVersion));
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

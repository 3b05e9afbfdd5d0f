#include "worker/devices.hpp"

#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <torch/torch.h>
#include <torch/version.h>
#include <unistd.h>

#include "shared/core/errors.hpp"
#include "shared/core/text.hpp"

#ifdef LEADSWEEP_CUDA
#include <cuda_runtime_api.h>

#include "worker/comm/nccl.hpp"
#endif

namespace leadsweep {
namespace {

std::vector<int> allowed_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) throw FileError("cores", errno, "ask for");
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &set)) cores.push_back(core);
    return cores;
}

std::string cpu_name() {
    std::ifstream stream("/proc/cpuinfo");
    std::string line;
    while (std::getline(stream, line))
        if (line.starts_with("model name")) return std::string(trim(line.substr(line.find(':') + 1)));
    return "CPU";
}

std::vector<Device> cpu_devices(int threads) {
    const auto cores = allowed_cores();
    if (threads < 1 || static_cast<std::size_t>(threads) > cores.size())
        throw InputError(fmt::format("--threads {}: this process may use {} cores", threads, cores.size()));
    const std::int64_t memory_bytes = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
    const std::string name = cpu_name();
    std::vector<Device> devices;
    const auto step = static_cast<std::size_t>(threads);
    for (std::size_t first = 0; first + step <= cores.size(); first += step) {
        const auto begin = cores.begin() + static_cast<std::ptrdiff_t>(first);
        devices.push_back({"cpu", fmt::format("cpu-{}", *begin), name, {begin, begin + threads}, memory_bytes});
    }
    return devices;
}

void pin_to(const std::vector<int>& cores) {
    if (cores.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : cores) CPU_SET(core, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        throw InputError(fmt::format("cores {} cannot be used by this process", fmt::join(cores, ",")));
}

#ifdef LEADSWEEP_CUDA
std::vector<Device> cuda_devices() {
    std::vector<Device> devices;
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) return devices;
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties{};
        if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
        const auto* raw = reinterpret_cast<const unsigned char*>(properties.uuid.bytes);
        std::string uuid = "GPU";
        for (int i = 0; i < 16; ++i)
            uuid += fmt::format("{}{:02x}", i == 0 || i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", raw[i]);
        devices.push_back({"cuda", uuid, properties.name, {}, static_cast<std::int64_t>(properties.totalGlobalMem)});
    }
    return devices;
}

/// Why there is no GPU to be had; "" where there is one.
std::string problem_with_cuda() {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
        return "no NVIDIA driver is loaded (cudaDriverGetVersion): install one, or use --device cpu";
    int count = 0;
    if (const cudaError_t asked = cudaGetDeviceCount(&count); asked != cudaSuccess)
        return fmt::format("cudaGetDeviceCount answers '{}' (driver for CUDA {}.{})", cudaGetErrorString(asked),
                           driver / 1000, driver % 1000 / 10);
    if (count == 0) {
        const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
        return fmt::format("the driver shows no GPU (CUDA_VISIBLE_DEVICES is {})", visible ? visible : "not set");
    }
    if (!torch::cuda::is_available()) return "the driver shows GPUs, but LibTorch cannot use them";
    return {};
}

Device find_cuda_device(const std::string& name) {
    if (const auto problem = problem_with_cuda(); !problem.empty())
        throw InputError(fmt::format("--device {}: {}", name, problem));
    const auto devices = cuda_devices();
    std::vector<std::string> known;
    for (std::size_t index = 0; index < devices.size(); ++index) {
        const auto& device = devices[index];
        if (name == fmt::format("cuda:{}", index) || name == device.uuid || (name == "cuda" && index == 0))
            return device;
        known.push_back(fmt::format("cuda:{} = {} ({})", index, device.uuid, device.name));
    }
    throw InputError(
        fmt::format("--device {}: there is no such GPU; the driver shows {}", name, fmt::join(known, ", ")));
}
#else
Device find_cuda_device(const std::string& name) {
    throw InputError(
        fmt::format("--device {}: this worker was built without CUDA: use --device cpu, or build one with "
                    "./dev build cuda",
                    name));
}
#endif

}  // namespace

std::vector<Device> list_devices(int threads) {
#ifdef LEADSWEEP_CUDA
    auto devices = cuda_devices();
    if (!devices.empty()) return devices;
#endif
    return cpu_devices(threads);
}

Device take_device(const std::string& uuid, const std::vector<int>& cores) {
    if (uuid.starts_with("cpu")) {
        pin_to(cores);
        Device device = cpu_devices(static_cast<int>(allowed_cores().size())).front();
        device.uuid = uuid;
        return device;
    }
    std::vector<std::string> known;
#ifdef LEADSWEEP_CUDA
    const auto devices = cuda_devices();
    for (std::size_t index = 0; index < devices.size(); ++index) {
        known.push_back(devices[index].uuid);
        if (devices[index].uuid != uuid) continue;
        if (cudaSetDevice(static_cast<int>(index)) != cudaSuccess)
            throw InputError(fmt::format("device {} is there, but cannot be used", uuid));
        return devices[index];
    }
    throw InputError(
        fmt::format("no device {}: the driver shows {} GPUs: {}", uuid, known.size(), fmt::join(known, ", ")));
#else
    throw InputError(fmt::format("no device {}: this worker was built without CUDA (./dev build cuda)", uuid));
#endif
}

Device find_device(const std::string& name, int threads) {
    if (name.starts_with("cuda") || name.starts_with("GPU-")) return find_cuda_device(name);
    std::vector<std::string> known;
    for (auto& device : cpu_devices(threads)) {
        if (name == "cpu" || name == device.uuid) return device;
        known.push_back(device.uuid);
    }
    throw InputError(fmt::format("--device {}: there is no such device; there are cpu, cuda, cuda:0 and so on, and {}",
                                 name, fmt::join(known, ", ")));
}

torch::Device torch_device_of(const Device& device) {
    return device.kind == "cuda" ? torch::kCUDA : torch::kCPU;
}

std::string describe_build() {
#ifdef LEADSWEEP_CUDA
    return fmt::format("LibTorch {}, {}", TORCH_VERSION, describe_nccl());
#else
    return fmt::format("LibTorch {}, no CUDA", TORCH_VERSION);
#endif
}

}  // namespace leadsweep

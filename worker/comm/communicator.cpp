#include "worker/comm/communicator.hpp"

#include <cstdlib>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "worker/comm/nccl.hpp"
#include "worker/comm/tcp.hpp"

namespace leadsweep {
namespace {

class LocalCommunicator final : public Communicator {
public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    void all_reduce_sum_(torch::Tensor&) override {}
    void broadcast_(torch::Tensor&, int) override {}
    torch::Tensor all_gather(const torch::Tensor& tensor) override { return tensor.detach().clone().unsqueeze(0); }
    void barrier() override {}
    void abort() noexcept override {}
};

}  // namespace

std::unique_ptr<Communicator> make_local_communicator() {
    return std::make_unique<LocalCommunicator>();
}

std::unique_ptr<GangHost> open_gang(const torch::Device& device, const std::string& host) {
    return device.is_cuda() ? open_nccl_gang(device) : open_tcp_gang(host);
}

std::unique_ptr<Communicator> join_gang(const torch::Device& device, const MeetingPoint& where, int rank, int size,
                                        std::chrono::milliseconds patience) {
    return device.is_cuda() ? join_nccl_gang(device, where, rank, size, patience)
                            : join_tcp_gang(where, rank, size, patience);
}

std::string default_host() {
    if (const char* chosen = std::getenv("LEADSWEEP_HOST"); chosen != nullptr && *chosen != '\0') return chosen;
    std::string found = "127.0.0.1";
    ifaddrs* interfaces = nullptr;
    if (::getifaddrs(&interfaces) != 0) return found;
    for (const ifaddrs* each = interfaces; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
        if ((each->ifa_flags & IFF_LOOPBACK) != 0U || (each->ifa_flags & IFF_UP) == 0U) continue;
        char text[INET_ADDRSTRLEN] = {};
        const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
        if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) != nullptr) {
            found = text;
            break;
        }
    }
    ::freeifaddrs(interfaces);
    return found;
}

}  // namespace leadsweep

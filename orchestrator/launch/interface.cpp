#include "orchestrator/launch/interface.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

/// An address, or a network with the length of its prefix.
struct Network {
    std::uint32_t address = 0;  ///< host order
    int prefix = 32;
    bool contains(std::uint32_t other) const {
        const std::uint32_t mask = prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix);
        return (address & mask) == (other & mask);
    }
};

std::optional<Network> network_from(const std::string& text) {
    const auto slash = text.find('/');
    in_addr parsed{};
    if (::inet_pton(AF_INET, text.substr(0, slash).c_str(), &parsed) != 1) return std::nullopt;
    Network network{ntohl(parsed.s_addr), 32};
    if (slash == std::string::npos) return network;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, network.prefix);
    if (error != std::errc{} || rest != end || network.prefix < 0 || network.prefix > 32) return std::nullopt;
    return network;
}

}  // namespace

NetworkInterface find_interface(const std::string& wanted) {
    const auto network = network_from(wanted);
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) throw FileError("network interfaces", errno, "list");
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    std::string there;
    for (const ifaddrs* each = list; each; each = each->ifa_next) {
        if (!each->ifa_addr || each->ifa_addr->sa_family != AF_INET || (each->ifa_flags & IFF_UP) == 0U) continue;
        const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
        char text[INET_ADDRSTRLEN] = {};
        ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
        if (network ? network->contains(ntohl(address->sin_addr.s_addr)) : wanted == each->ifa_name)
            return {each->ifa_name, text};
        there += fmt::format("{}{} {}", there.empty() ? "" : ", ", each->ifa_name, text);
    }
    throw InputError(
        fmt::format("--interface {}: there is no such network interface with an IPv4 address here; there are: {}",
                    wanted, there.empty() ? "none" : there));
}

void choose_interface_for_mpi(const std::string& wanted) {
    if (wanted.empty() || (network_from(wanted) && wanted.find('/') == std::string::npos))
        return;  // one node's address says nothing to the others
    for (const char* variable :
         {"OMPI_MCA_btl_tcp_if_include", "OMPI_MCA_oob_tcp_if_include", "PRTE_MCA_prte_if_include"})
        ::setenv(variable, wanted.c_str(), 0);
}

}  // namespace leadsweep

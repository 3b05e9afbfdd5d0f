// The gang over TCP, for workers on CPUs: a star around rank 0, which adds contributions in rank order, so that sums do
// not depend on who is fast. It is made for a few megabytes among a few ranks, not for bandwidth.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "worker/comm/communicator.hpp"

namespace leadsweep {

/// How long one collective may wait for the slowest rank. A peer that died is found at once, one whose node is gone
/// within about 20 s (keep-alive); this bounds only peers that are alive and silent.
inline constexpr std::chrono::milliseconds kCollectivePatience = std::chrono::minutes(15);

/// Listens on `host` (an IPv4 address of this node) at a free port, with a random token. Throws CommError.
std::unique_ptr<GangHost> open_tcp_gang(const std::string& host,
                                        std::chrono::milliseconds collective_patience = kCollectivePatience);

/// Connects to rank 0, shows the token and becomes `rank` of `size`. Throws CommError.
std::unique_ptr<Communicator> join_tcp_gang(const MeetingPoint& where, int rank, int size,
                                            std::chrono::milliseconds patience,
                                            std::chrono::milliseconds collective_patience = kCollectivePatience);

}  // namespace leadsweep

// The gang over NCCL above its function tables: a non-blocking communicator that is polled, and a thread that watches
// for errors of other ranks and for collectives that do not end. Where the functions come from is told in nccl.cpp.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "worker/comm/communicator.hpp"
#include "worker/comm/nccl_functions.hpp"

namespace leadsweep {

struct NcclTimes {
    /// How long a collective may be under way before its group is ended: longer than any rank's validation or
    /// explanation.
    std::chrono::milliseconds collective = std::chrono::minutes(15);
    std::chrono::milliseconds poll{1};
    std::chrono::milliseconds watch{100};
    /// How long a healthy group may take to leave.
    std::chrono::milliseconds leave = std::chrono::seconds(10);
};

/// Joins the group of `id` as `rank` of `size`. Throws CommError where NCCL fails or the others have not come in time.
std::unique_ptr<Communicator> join_nccl_group(NcclFunctions nccl, GpuFunctions gpu, const NcclId& id, int rank,
                                              int size, std::chrono::milliseconds patience, NcclTimes times = {});

std::string to_hex(const NcclId& id);
/// Throws CommError where the text is no id.
NcclId nccl_id_from_hex(const std::string& text);

}  // namespace leadsweep

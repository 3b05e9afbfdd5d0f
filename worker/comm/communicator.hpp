// Collective operations among the workers of one job: what data-parallel training needs, whatever carries it (nothing
// for one worker, TCP on CPUs, NCCL on GPUs). It is no channel between workers and coordinator: those speak over pipes.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <torch/types.h>

#include "shared/core/errors.hpp"

namespace leadsweep {

/// A collective could not be completed: a peer is gone, silent, or in another collective. The communicator is of no
/// further use. Recorded as node_lost: what ended the peer is recorded with the peer.
class CommError : public JobError {
public:
    explicit CommError(const std::string& message) : JobError(FailureClass::kNodeLost, message) {}
};

/// One member's end of a group. Every collective must be called by all ranks, in the same order and with equal shapes
/// and types; each throws CommError on every rank as soon as one of them is gone. Over NCCL, collectives on tensors of
/// the GPU are only queued: that they failed is told by the next one, by barrier() at the latest. Tensors of the host
/// are always complete on return. Only abort() may be called from another thread.
class Communicator {
public:
    virtual ~Communicator() = default;
    Communicator() = default;
    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;

    virtual int rank() const = 0;
    virtual int size() const = 0;
    /// Collective: replaces `tensor` on every rank by the sum over ranks, added in rank order (TCP).
    virtual void all_reduce_sum_(torch::Tensor& tensor) = 0;
    /// Collective: replaces `tensor` on every rank by that of `root`.
    virtual void broadcast_(torch::Tensor& tensor, int root) = 0;
    /// Collective: the tensors of all ranks, stacked in rank order: [size, ...].
    virtual torch::Tensor all_gather(const torch::Tensor& tensor) = 0;
    /// Collective: returns when all ranks have called it.
    virtual void barrier() = 0;
    /// To be called after a CUDA graph was replayed that holds collectives of this group, so that they are watched too.
    virtual void on_replay() {}
    /// Ends the group at once: this and every other rank's collectives throw CommError. Never throws.
    virtual void abort() noexcept = 0;
};

/// The group of one: every collective is done already.
std::unique_ptr<Communicator> make_local_communicator();

/// Where a gang meets, and the secret that lets a member in. `address` is "host:port" (TCP) or an NCCL id in
/// hexadecimal.
struct MeetingPoint {
    std::string address;
    std::string token;
};

/// Rank 0 of a gang before the others have come.
class GangHost {
public:
    virtual ~GangHost() = default;
    /// What the other ranks need in order to join.
    virtual MeetingPoint meeting_point() const = 0;
    /// Waits for ranks 1 to size - 1 and becomes rank 0. Throws CommError when they have not come in time.
    virtual std::unique_ptr<Communicator> wait_for_gang(int size, std::chrono::milliseconds patience) = 0;
};

/// Opens a gang for workers on `device`: TCP on CPUs, NCCL on GPUs (a worker built without CUDA throws CommError).
/// `host` is the address on which to listen, used by TCP alone; see default_host().
std::unique_ptr<GangHost> open_gang(const torch::Device& device, const std::string& host);

/// Joins a gang as `rank` (> 0) of `size`. Throws CommError when rank 0 does not answer in time or refuses the token.
std::unique_ptr<Communicator> join_gang(const torch::Device& device, const MeetingPoint& where, int rank, int size,
                                        std::chrono::milliseconds patience);

/// The IPv4 address under which other nodes reach this one: LEADSWEEP_HOST if set, else that of the first network
/// interface that is up and no loopback, else 127.0.0.1.
std::string default_host();

}  // namespace leadsweep

// MPI, and nothing of it outside this folder: initialisation, the coordinator's transport, the relay of the other
// ranks. Point-to-point small messages only, from the main thread; mpi.h is included by the .cpp alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "orchestrator/transport/transport.hpp"

namespace leadsweep {

/// First line of what the MPI library says of itself: "Open MPI v4.1.4, ...". Needs no initialised MPI.
std::string mpi_library();

/// Whether this process was started by an MPI launcher (OMPI_COMM_WORLD_SIZE or PMIX_RANK is set).
bool is_under_mpi_launcher();
/// Whether this process is rank 0, or no rank at all, as the launcher's environment tells before MPI is initialised.
bool is_rank_zero();

struct MpiOutbox;

/// MPI from construction to destruction. Construct after the spawner's fork, on the main thread.
/// While an exception unwinds, the destructor does not finalize: that could wait for ever.
class MpiWorld {
public:
    MpiWorld();
    ~MpiWorld();
    MpiWorld(const MpiWorld&) = delete;
    MpiWorld& operator=(const MpiWorld&) = delete;

    std::uint32_t rank() const { return rank_; }
    std::uint32_t size() const { return size_; }

    /// Collective, all ranks: what rank 0 says.
    std::string broadcast(const std::string& text);

    /// Collective, all ranks, before any other message. The ranks of one host share its devices: each gives the ids
    /// that it sees and gets those that are its own. Every id has one owner: the rank that sees it and owns fewest so
    /// far.
    std::vector<std::string> share_devices(const std::string& node, const std::vector<std::string>& visible);

    /// After share_devices(): how many hosts the ranks are on.
    std::size_t node_count() const { return node_count_; }

    /// The others are out of reach: leaves without MPI_Finalize, which would wait for them.
    void abandon() { is_abandoned_ = true; }

    /// Rank 0: the coordinator's end. `mail` is that of rank 0's own supervisor.
    std::unique_ptr<Transport> make_transport(SupervisorMail& mail);

    /// Ranks > 0: passes messages between rank 0 and this rank's supervisor until `is_over()`; the last facts are sent.
    template <class IsOver>
    void relay(SupervisorMail& mail, IsOver is_over) {
        while (!is_over()) relay_once(mail, true);
        relay_once(mail, false);
    }

private:
    void relay_once(SupervisorMail& mail, bool is_waiting);

    std::unique_ptr<MpiOutbox> outbox_;
    std::uint32_t rank_ = 0;
    std::uint32_t size_ = 1;
    std::size_t node_count_ = 1;
    bool is_abandoned_ = false;
};

}  // namespace leadsweep

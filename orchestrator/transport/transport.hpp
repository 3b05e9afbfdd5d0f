// How the coordinator reaches its supervisors: one of them on a thread of its own process, the others, if any, as ranks
// of an MPI world.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "orchestrator/transport/mailbox.hpp"
#include "shared/protocol/messages.hpp"

namespace leadsweep {

/// Both directions between one supervisor's thread and the thread that speaks for it.
struct SupervisorMail {
    Mailbox<ToSupervisor, MailboxReader::kPolls> to_supervisor;
    Mailbox<FromSupervisor> from_supervisor;
};

struct Received {
    std::uint32_t rank = 0;
    FromSupervisor message;
};

/// The coordinator's end. Used from the main thread of rank 0 alone.
class Transport {
public:
    virtual ~Transport() = default;
    /// Number of supervisors.
    virtual std::uint32_t size() const = 0;
    /// Never blocks; messages to one rank arrive in order. Those to a forgotten rank are dropped.
    virtual void send(std::uint32_t rank, ToSupervisor message) = 0;
    /// What has arrived; waits at most `timeout` for the first.
    virtual std::vector<Received> receive(std::chrono::milliseconds timeout) = 0;
    /// Hands on what was sent, as receive() does, and takes nothing.
    virtual void flush() = 0;
    /// The rank is lost: nothing is sent to it any more.
    virtual void forget(std::uint32_t rank) = 0;
    /// It is heard again: sends go on where they ended.
    virtual void remember(std::uint32_t rank) = 0;
};

/// One supervisor in this process.
class LoopbackTransport : public Transport {
public:
    explicit LoopbackTransport(SupervisorMail& mail) : mail_(mail) {}
    std::uint32_t size() const override { return 1; }
    void send(std::uint32_t, ToSupervisor message) override { mail_.to_supervisor.push(std::move(message)); }
    std::vector<Received> receive(std::chrono::milliseconds timeout) override;
    void flush() override {}
    void forget(std::uint32_t) override {}
    void remember(std::uint32_t) override {}

private:
    SupervisorMail& mail_;
};

}  // namespace leadsweep

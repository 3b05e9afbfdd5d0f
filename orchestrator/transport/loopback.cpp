#include "orchestrator/transport/transport.hpp"

namespace leadsweep {

std::vector<Received> LoopbackTransport::receive(std::chrono::milliseconds timeout) {
    std::vector<Received> received;
    for (auto& message : mail_.from_supervisor.wait_and_take(timeout)) received.push_back({0, std::move(message)});
    return received;
}

}  // namespace leadsweep

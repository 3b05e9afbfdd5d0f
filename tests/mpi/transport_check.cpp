// Run by mpirun: rank 0 sends to every rank and gets everything back in order, large messages included.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <thread>

#include <fmt/format.h>

#include "orchestrator/transport/mpi_world.hpp"

using namespace leadsweep;

namespace {

constexpr std::uint64_t kMessages = 200;

/// Stands in for a supervisor: answers every command with a fact of the same worker, until it is told to stop.
void echo(SupervisorMail& mail, std::atomic<bool>& is_over) {
    while (true) {
        for (auto& message : mail.to_supervisor.wait_and_take(std::chrono::milliseconds(20))) {
            if (std::holds_alternative<StopSupervisor>(message)) {
                is_over = true;
                return;
            }
            const auto& replace = std::get<ReplaceWorker>(message);
            mail.from_supervisor.push(WorkerLost{replace.worker, FailureClass::kKilled, replace.why, 0});
        }
    }
}

bool coordinate(MpiWorld& world, SupervisorMail& mail) {
    const auto transport = world.make_transport(mail);
    const std::string large(300'000, 'x');
    for (std::uint64_t i = 0; i < kMessages; ++i)
        for (std::uint32_t rank = 0; rank < world.size(); ++rank)
            transport->send(rank, ReplaceWorker{{i}, i == 50 ? large : "small"});
    std::vector<std::uint64_t> received(world.size(), 0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    bool is_right = true;
    while (std::chrono::steady_clock::now() < deadline) {
        for (const auto& [rank, message] : transport->receive(std::chrono::milliseconds(50))) {
            const auto& lost = std::get<WorkerLost>(message);
            const std::string& expected = received[rank] == 50 ? large : "small";
            is_right = is_right && lost.worker.value == received[rank] && lost.message == expected;
            ++received[rank];
        }
        if (std::all_of(received.begin(), received.end(), [](auto n) { return n == kMessages; })) break;
    }
    for (std::uint32_t rank = 0; rank < world.size(); ++rank) transport->send(rank, StopSupervisor{});
    for (const auto count : received) is_right = is_right && count == kMessages;
    (void)transport->receive(std::chrono::milliseconds(200));
    return is_right;
}

}  // namespace

int main() {
    MpiWorld world;
    const auto own = world.share_devices("one node", {"cpu-0", "cpu-1"});
    const std::size_t expected = world.size() == 1 ? 2 : (world.rank() < 2 ? 1 : 0);
    bool is_right = own.size() == expected;
    SupervisorMail mail;
    std::atomic<bool> is_over = false;
    std::thread supervisor([&] { echo(mail, is_over); });
    if (world.rank() == 0)
        is_right = coordinate(world, mail) && is_right;
    else
        world.relay(mail, [&] { return is_over.load(); });
    supervisor.join();
    if (!is_right) std::cerr << fmt::format("rank {}: wrong\n", world.rank());
    return is_right ? 0 : 1;
}

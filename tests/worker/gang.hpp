// A gang of threads in this process: what several workers of one job do, over TCP on the loopback interface.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "worker/comm/tcp.hpp"

namespace leadsweep::test {

inline constexpr std::chrono::seconds kPatience{20};

/// Calls body(communicator) on `size` threads, one a rank (a local communicator for one), and joins them. The first
/// exception of any of them is thrown again.
inline void run_gang(int size, const std::function<void(Communicator&)>& body) {
    if (size == 1) {
        body(*make_local_communicator());
        return;
    }
    const auto host = open_tcp_gang("127.0.0.1", kPatience);
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(size));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank)
        threads.emplace_back([&, rank] {
            try {
                const auto communicator = rank == 0
                                              ? host->wait_for_gang(size, kPatience)
                                              : join_tcp_gang(host->meeting_point(), rank, size, kPatience, kPatience);
                body(*communicator);
            } catch (...) {
                errors[static_cast<std::size_t>(rank)] = std::current_exception();
            }
        });
    for (auto& thread : threads) thread.join();
    for (const auto& error : errors)
        if (error) std::rethrow_exception(error);
}

}  // namespace leadsweep::test

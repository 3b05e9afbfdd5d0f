// NCCL and a GPU that are not there: the function tables of worker/comm/nccl_functions.hpp over host memory. A stream is
// a thread that works through a queue; data travel by the TCP gang; what real networks and peers do to a collective is
// done on request: calls that stay in progress, errors of other ranks, collectives that never end.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/worker/gang.hpp"
#include "worker/comm/nccl_communicator.hpp"

namespace leadsweep::test {

/// What goes wrong on one rank. Collectives are counted from 1.
struct NcclFaults {
    int polls_in_progress = 0;      ///< so often "in progress" is answered after every call
    int remote_error_after = 0;     ///< after this collective a failure of another rank is told; 0: never
    int hang_in = 0;                ///< this collective is queued, but never ends; 0: none
    bool never_joins = false;       ///< joining stays in progress
    bool is_init_refused = false;   ///< joining fails at once
    bool is_call_stuck = false;     ///< collectives are never even queued
};

/// One rank's stream, communicator and table of functions. Lives longer than the communicator made of it.
class FakeNccl {
public:
    explicit FakeNccl(NcclFaults faults = {}) : faults_(faults), worker_([this] { work(); }) {}
    ~FakeNccl();
    FakeNccl(const FakeNccl&) = delete;
    FakeNccl& operator=(const FakeNccl&) = delete;

    /// `gang` carries the data of this rank.
    NcclFunctions nccl(Communicator& gang);
    /// A GPU whose memory holds no tensor of the test: all of them are copied there and back, as tensors of the host.
    GpuFunctions gpu();

    std::atomic<int> aborts{0};
    std::atomic<int> destroys{0};
    std::atomic<int> most_queued{0};  ///< collectives under way at once

private:
    NcclResult queue(std::function<void(Communicator&)> collective);
    NcclResult answer();
    void work();
    void end_stream();

    NcclFaults faults_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> waiting_;
    bool is_working_ = false;
    bool is_ended_ = false;
    bool is_aborted_ = false;
    int collectives_ = 0;
    int polls_left_ = 0;
    bool is_remote_error_ = false;
    Communicator* gang_ = nullptr;
    std::thread worker_;
};

}  // namespace leadsweep::test

// Owns the workers of one rank: starts as many for each device as it is told, passes messages both ways, and tells the
// coordinator when one is gone. Decides nothing: the scheduler does.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/launch/chaos.hpp"
#include "orchestrator/launch/spawner.hpp"
#include "orchestrator/transport/short_wait.hpp"
#include "orchestrator/transport/transport.hpp"
#include "shared/core/awake_clock.hpp"
#include "shared/protocol/framing.hpp"

namespace leadsweep {

struct SupervisorSettings {
    std::string worker_program;
    std::vector<Device> devices;
    int threads = 1;  ///< per CPU device
    std::string node;
    std::string log_folder;
    std::uint32_t rank = 0;
    double coordinator_timeout_s = 10;  ///< a coordinator silent for so long: kill the workers and end
    std::map<std::string, std::string> worker_environment;
    std::optional<std::uint64_t> chaos_seed;  ///< kill and stop workers at random
    int start_attempts = 3;                   ///< workers of one device that may die in a row before their Hello
};

/// Devices of this machine, as `leadsweep-worker devices --threads N` tells. Throws InputError with the worker's words.
std::vector<Device> discover_devices(Spawner& spawner, const std::string& worker_program, int threads,
                                     const std::string& scratch_folder);

class Supervisor {
public:
    Supervisor(SupervisorSettings settings, Spawner& spawner, SupervisorMail& mail);
    /// Runs until it is told to stop, or the coordinator falls silent. Never throws: what went wrong is reported as
    /// SupervisorFailed.
    void run();
    /// After run(): it ended because the coordinator fell silent.
    bool has_lost_coordinator() const { return has_lost_coordinator_; }

private:
    struct Worker {
        WorkerId id;
        std::size_t device = 0;
        Child child;
        FrameReader reader;
        std::string outgoing;  ///< what the pipe would not take yet
        std::string log_path;
        bool has_greeted = false;
        std::string why_killed;
        bool is_killed_by_chaos = false;
        std::optional<double> facts_ended_s;  ///< when its pipe of facts came to an end
    };

    void serve();
    void register_anew(std::uint32_t registration);
    void start_worker(std::size_t device);
    bool handle(ToSupervisor& message);
    void read_facts(Worker& worker);
    void on_fact(Worker& worker, FromWorker fact);
    void write_commands(Worker& worker);
    void on_exit(const ChildExit& exit);
    void kill(Worker& worker, const std::string& why);
    void kill_mute_workers();
    void do_chaos();
    void end_chaos();
    void stop_all(bool is_now);
    void poll_once(int timeout_ms);

    SupervisorSettings settings_;
    Spawner& spawner_;
    SupervisorMail& mail_;
    std::map<WorkerId, Worker> workers_;
    std::vector<int> failed_starts_;
    std::uint32_t started_ = 0;
    AwakeClock clock_;
    ShortWait wait_;
    std::optional<Chaos> chaos_;
    double last_heard_s_ = 0;  ///< of the coordinator
    bool is_stopping_ = false;
    bool has_lost_coordinator_ = false;
};

}  // namespace leadsweep

// `leadsweep run --chaos=SEED`: a rehearsal before a long sweep. Decides when a supervisor's own workers are killed or
// stopped for a while; the supervisor does it. No clock and no signals here: time is an argument.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "shared/core/ids.hpp"

namespace leadsweep {

struct ChaosAct {
    WorkerId worker;
    int signal_number;  ///< SIGKILL, SIGSTOP or SIGCONT
};

/// Every worker is struck after 20 attempts or 30 s, whichever comes first, both on average; two blows of three kill,
/// the third stops for 0.1 to 3 s. What is done depends on the seed, the rank and the order of what happens.
class Chaos {
public:
    Chaos(std::uint64_t seed, std::uint32_t rank) : random_(seed * 1'000'003 + rank) {}

    void on_started(WorkerId worker, double now_s);
    void on_assigned(WorkerId worker, double now_s);
    void on_gone(WorkerId worker) { plans_.erase(worker); }

    /// What is to be done by now. A worker that is to be killed is forgotten.
    std::vector<ChaosAct> take_due(double now_s);
    /// Workers that are stopped at the moment.
    std::vector<WorkerId> stopped() const;

    int kills() const { return kills_; }
    int stops() const { return stops_; }

private:
    struct Plan {
        double due_s = 0;
        int attempts_left = 0;
        bool is_stopped = false;
    };
    void draw(Plan& plan, double now_s);
    double uniform(double least, double most) { return std::uniform_real_distribution(least, most)(random_); }

    std::mt19937_64 random_;
    std::map<WorkerId, Plan> plans_;
    int kills_ = 0;
    int stops_ = 0;
};

}  // namespace leadsweep

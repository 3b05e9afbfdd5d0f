// Time for deciding that somebody else is silent. Seconds in which the owner itself did not run (stopped, suspended,
// starved, held up by a slow disk) do not count: what arrived meanwhile was not read yet.
#pragma once

#include "shared/core/clock.hpp"

namespace leadsweep {

class AwakeClock {
public:
    /// To be called once a turn of the owner's loop: a turn that took longer than kMostAway_s was an absence.
    void turn() {
        const double now = steady_now_s();
        if (now - last_turn_s_ > kMostAway_s) away_s_ += now - last_turn_s_;
        last_turn_s_ = now;
    }
    /// Seconds; only differences mean something.
    double now_s() const { return steady_now_s() - away_s_; }

private:
    static constexpr double kMostAway_s = 1;

    double last_turn_s_ = steady_now_s();
    double away_s_ = 0;
};

}  // namespace leadsweep

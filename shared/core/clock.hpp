// Time that never jumps.
#pragma once

#include <chrono>

namespace leadsweep {

/// Seconds since some fixed moment of this machine; not affected by changes of the date.
inline double steady_now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace leadsweep

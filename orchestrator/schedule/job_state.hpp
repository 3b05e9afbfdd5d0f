// States of a job as they are stored in the database: add, never rename. Staleness is derived, never stored.
#pragma once

#include <string_view>

namespace leadsweep {

enum class JobState { kWaiting, kRunning, kFinished, kFailed, kInvalid, kCancelled };

constexpr std::string_view to_string(JobState state) {
    switch (state) {
        case JobState::kWaiting:
            return "waiting";
        case JobState::kRunning:
            return "running";
        case JobState::kFinished:
            return "finished";
        case JobState::kFailed:
            return "failed";
        case JobState::kInvalid:
            return "invalid";
        case JobState::kCancelled:
            return "cancelled";
    }
    return "";
}

constexpr bool is_terminal(JobState state) {
    return state != JobState::kWaiting && state != JobState::kRunning;
}

}  // namespace leadsweep

// States of a job as they are stored in the database: add, never rename. Staleness is derived, never stored as a state.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace leadsweep {

enum class JobState { kWaiting, kRunning, kFinished, kFailed, kInvalid, kCancelled };

inline constexpr std::array<std::pair<JobState, std::string_view>, 6> kJobStateNames{{
    {JobState::kWaiting, "waiting"},
    {JobState::kRunning, "running"},
    {JobState::kFinished, "finished"},
    {JobState::kFailed, "failed"},
    {JobState::kInvalid, "invalid"},
    {JobState::kCancelled, "cancelled"},
}};

constexpr std::string_view to_string(JobState state) {
    for (const auto& [known, name] : kJobStateNames)
        if (known == state) return name;
    return "";
}

constexpr std::optional<JobState> job_state_from(std::string_view name) {
    for (const auto& [state, known] : kJobStateNames)
        if (known == name) return state;
    return std::nullopt;
}

constexpr bool is_terminal(JobState state) {
    return state != JobState::kWaiting && state != JobState::kRunning;
}

}  // namespace leadsweep

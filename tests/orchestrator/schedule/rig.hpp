// A scheduler with its attempt ids and a memory of what it decided.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "orchestrator/schedule/scheduler.hpp"
#include "tests/support/catch.hpp"

namespace leadsweep {

struct SchedulerRig {
    std::uint64_t last_attempt = 0;
    Scheduler scheduler;
    std::vector<Action> actions;

    explicit SchedulerRig(std::vector<ScheduledJob> jobs, std::vector<std::int64_t> shards = {0},
                          SchedulerSettings settings = {})
        : scheduler(std::move(jobs), shards, std::move(settings), [this] { return AttemptId{++last_attempt}; }) {}

    /// Workers 1, 2, ... of a rank, on devices cpu-0, cpu-1, ...; `slots` of them on each device.
    void workers(int count, const std::string& node = "n1", std::uint32_t rank = 0, double now = 0, int slots = 1) {
        for (int i = 0; i < count; ++i) worker(i + 1, i / slots, node, rank, now);
    }
    void worker(int id, int device, const std::string& node = "n1", std::uint32_t rank = 0, double now = 0) {
        scheduler.on_worker_ready(id_of(id, rank), rank, node, "cpu-" + std::to_string(device), now);
    }
    static WorkerId id_of(int id, std::uint32_t rank = 0) {
        return {(std::uint64_t{rank} << 32U) + static_cast<std::uint64_t>(id)};
    }
    /// All members of an attempt finish.
    void finish(const StartAttempt& attempt, double now) {
        for (const WorkerId worker : attempt.gang) scheduler.on_finished(worker, attempt.attempt, now);
    }
    /// Decisions of one kind that were not taken yet.
    template <class Kind>
    std::vector<Kind> take() {
        for (auto& action : scheduler.take_actions()) actions.push_back(std::move(action));
        std::vector<Kind> found;
        std::vector<Action> rest;
        for (auto& action : actions) {
            if (auto* kind = std::get_if<Kind>(&action))
                found.push_back(std::move(*kind));
            else
                rest.push_back(std::move(action));
        }
        actions = std::move(rest);
        return found;
    }
    std::vector<JobIndex> started() {
        std::vector<JobIndex> jobs;
        for (const StartAttempt& start : take<StartAttempt>()) jobs.push_back(start.job);
        return jobs;
    }
};

inline std::uint32_t rank_of(WorkerId worker) {
    return static_cast<std::uint32_t>(worker.value >> 32U);
}

}  // namespace leadsweep

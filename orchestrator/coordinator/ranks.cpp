// How ranks are lost and come back.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/coordinator/coordinator.hpp"

namespace leadsweep {

/// Whatever a lost supervisor says is of attempts that were given to others; it may come back with fresh workers.
void Coordinator::on_lost_supervisor_heard(std::uint32_t rank, const FromSupervisor& message) {
    Supervisor& supervisor = supervisors_.at(rank);
    const auto* ready = std::get_if<SupervisorReady>(&message);
    if (ready && ready->registration == supervisor.registration) {
        supervisor = {ready->node, -1, now_s(), false, false, supervisor.registration};
        start_workers(rank, ready->devices);
        view_.say(fmt::format("rank {} on {} is back", rank, supervisor.node));
    } else if (!supervisor.is_asked_to_reset) {
        supervisor.is_asked_to_reset = true;
        transport_.remember(rank);
        transport_.send(rank, ResetSupervisor{supervisor.registration});
    }
}

/// A lost rank that still lives leaves with the others: mpirun takes a rank 0 that leaves without them for a failure.
void Coordinator::bid_farewell_to_lost() {
    const double deadline = now_s() + settings_.farewell_s;
    const auto is_lost = [](const Supervisor& supervisor) { return supervisor.is_lost; };
    while (std::any_of(supervisors_.begin(), supervisors_.end(), is_lost) && now_s() < deadline) {
        for (const Received& received : transport_.receive(std::chrono::milliseconds(20))) {
            Supervisor& supervisor = supervisors_.at(received.rank);
            if (!std::exchange(supervisor.is_lost, false)) continue;
            transport_.remember(received.rank);
            transport_.send(received.rank, StopSupervisor{true});
        }
    }
}

void Coordinator::start_workers(std::uint32_t rank, std::int64_t devices) {
    supervisors_.at(rank).slots = devices * scheduler_.most_slots_per_device();
    transport_.send(rank, StartWorkers{scheduler_.most_slots_per_device()});
}

void Coordinator::on_supervisor_gone(std::uint32_t rank, const std::string& why) {
    Supervisor& supervisor = supervisors_.at(rank);
    supervisor = {supervisor.node, -1, 0, true, false, supervisor.registration + 1};
    transport_.forget(rank);
    view_.say(fmt::format("rank {}{} is lost: {}; its attempts are queued again", rank,
                          supervisor.node.empty() ? "" : " on " + supervisor.node, why));
    commits_.submit([rank, why](ResultStore& store) {
        store.record_event({"supervisor_lost", fmt::format("rank {}: {}", rank, why), {}, {}, ""});
    });
    scheduler_.on_supervisor_lost(rank, fmt::format("rank {} is lost: {}", rank, why), now_s());
    if (std::all_of(supervisors_.begin(), supervisors_.end(), [](const auto& s) { return s.is_lost; }))
        ended_early_ = fmt::format("no supervisor is left: {}", why);
}

void Coordinator::check_supervisors() {
    const double now = now_s();
    bool have_all_reported = true;
    std::int64_t slots = 0;
    for (std::uint32_t rank = 0; rank < supervisors_.size(); ++rank) {
        Supervisor& supervisor = supervisors_[rank];
        if (supervisor.is_lost) continue;
        const double limit = supervisor.slots < 0 ? settings_.start_timeout_s : settings_.supervisor_timeout_s;
        // Rank 0's supervisor is a thread of this process: it cannot be lost alone.
        if (rank > 0 && now - supervisor.last_heard_s > limit)
            on_supervisor_gone(rank, fmt::format("nothing heard for {:.1f} s", now - supervisor.last_heard_s));
        have_all_reported = have_all_reported && supervisor.slots >= 0;
        slots += std::max<std::int64_t>(0, supervisor.slots);
    }
    if (have_all_reported && slots == 0 && !ended_early_)
        ended_early_ = "no rank has a device: look at `leadsweep-worker devices` on these nodes";
    // All at once: a worker that is being replaced is no capacity, and nothing is known of ranks that are lost.
    const bool are_all_up = static_cast<std::int64_t>(scheduler_.worker_count()) >= slots;
    if (is_capacity_known_ || !have_all_reported || ended_early_ || !are_all_up) return;
    is_capacity_known_ = true;
    scheduler_.on_capacity_known(now);
}

}  // namespace leadsweep

// Why a job is where it is, in words for people.
#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {

std::string Scheduler::why(JobIndex job, double now) const {
    const JobState state = states_[job];
    if (state == JobState::kRunning) return why_running(job, now);
    if (state != JobState::kWaiting)
        return fmt::format("it is {}, after {} counted attempt{} that failed", to_string(state),
                           jobs_[job].attempts_used, jobs_[job].attempts_used == 1 ? "" : "s");
    if (is_draining_) return "it waits: nothing more is started, the sweep is being stopped";
    return why_waiting(job);
}

std::string Scheduler::why_running(JobIndex job, double now) const {
    for (const auto& [attempt, work] : attempts_) {
        if (work.job != job || work.has_ended) continue;
        const Worker& leader = cluster_.worker(work.gang.front());
        const Node& node = cluster_.node(leader.node);
        std::string text = fmt::format("attempt {} runs on {} ({}) since {:.0f} s, {}", attempt.value, node.name,
                                       node.devices[leader.device].name, now - work.started,
                                       work.phase == 0 ? "starting" : "in phase " + phases_[work.phase].name);
        if (work.gang.size() > 1) text += fmt::format(", with {} devices", work.gang.size());
        if (work.verdict) text += fmt::format("; it is being stopped: {}", work.verdict_message);
        return text;
    }
    return "its last attempt is over, the result is being stored";
}

std::string Scheduler::why_waiting(JobIndex index) const {
    const ScheduledJob& job = jobs_[index];
    const JobShape shape = shape_of(index);
    if (held_.contains(index) && !fits_somewhere(index, cluster_.largest_node()))
        return fmt::format("it waits for another run: it needs {} devices, the largest node that is left has {}",
                           job.devices, cluster_.largest_node());
    if (held_.contains(index))
        return "it waits for the next allocation: it can neither end nor leave a checkpoint before this one ends";
    if (cluster_.worker_count() == 0) return "it waits: no worker is ready yet";
    if (reservation_ && reservation_->job == index) {
        const std::string when = reservation_->shadow < kUnknownTime ? "" : ", nobody knows when they will be";
        std::string nodes;
        for (const NodeIndex node : reservation_->nodes)
            nodes += (nodes.empty() ? "" : ", ") + cluster_.node(node).name;
        return fmt::format("it is the next: {} devices of {} are kept for it until all are free{}", job.devices, nodes,
                           when);
    }
    std::size_t ahead = 0;
    for (const auto& [rank, queue] : queues_.order()) {
        if (queue->shape == shape) {
            for (const auto& [pack, jobs] : queue->by_pack) ahead += jobs.count_before(index);
            break;
        }
        for (const auto& [pack, jobs] : queue->by_pack) ahead += jobs.size();
    }
    return fmt::format("it waits, {} job{} ahead of it{}", ahead == 0 ? "no" : std::to_string(ahead),
                       ahead == 1 ? "" : "s", what_is_missing(index, shape));
}

/// What keeps a job from starting now, apart from its turn: "" or "; ...".
std::string Scheduler::what_is_missing(JobIndex index, const JobShape& shape) const {
    const ScheduledJob& job = jobs_[index];
    int most_free = 0;
    std::string making;
    for (NodeIndex node = 0; node < cluster_.node_count(); ++node) {
        const Node& place = cluster_.node(node);
        if (!place.counts_as_healthy) continue;
        most_free = std::max(most_free, place.free_devices);
        if (making.empty() && packs_.has_begun(job.pack, node) && !packs_.is_complete(job.pack, node))
            making = fmt::format("; its pack is being prepared: {} of {} shards on {}",
                                 packs_.shards_made(job.pack, node), packs_.shards(job.pack), place.name);
    }
    std::string text;
    if (!packs_.is_everywhere(job.pack) && packs_.complete_nodes(job.pack).empty())
        text += making.empty() ? "; its pack is not prepared yet" : making;
    if (shape.may_span_nodes && cluster_.free_devices() < job.devices)
        text += fmt::format("; it needs {} devices, {} are free", job.devices, cluster_.free_devices());
    else if (!shape.may_span_nodes && most_free < job.devices)
        text += fmt::format("; it needs {} device{} of one node, the most that are free on one are {}", job.devices,
                            job.devices == 1 ? "" : "s", most_free);
    if (reservation_ && !reservation_->nodes.empty())
        text += fmt::format("; {} is kept for a job with {} devices", cluster_.node(reservation_->nodes.front()).name,
                            jobs_[reservation_->job].devices);
    if (shape.avoided_node != kNoNode)
        text += fmt::format("; it failed on {} and waits for another node", cluster_.node(shape.avoided_node).name);
    if (shape.needs_fresh_worker) text += "; it needs a fresh worker";
    for (const NodeIndex node : quarantined_)
        text += fmt::format("; {} gets no work, too much failed there", cluster_.node(node).name);
    return text;
}

}  // namespace leadsweep

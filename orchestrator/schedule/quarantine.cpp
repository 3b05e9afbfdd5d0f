// Nodes on which job after job breaks, and jobs that had better try another node.
#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {
namespace {

bool speaks_against_node(FailureClass failure) {
    return failure == FailureClass::kCrashed || failure == FailureClass::kKilled || failure == FailureClass::kHung ||
           failure == FailureClass::kOomHost;
}

}  // namespace

void Scheduler::count_against_node(NodeIndex index, JobIndex job, FailureClass failure, double now) {
    Node& node = cluster_.node(index);
    if (settings_.quarantine_limit == 0 || !speaks_against_node(failure) || node.is_quarantined()) return;
    std::erase_if(node.failures, [&](const auto& known) {
        return known.second == job || known.first < now - settings_.quarantine_window_s;
    });
    node.failures.emplace_back(now, job);
    const bool is_last = cluster_.healthy_nodes() - (node.counts_as_healthy ? 1 : 0) == 0;
    if (static_cast<int>(node.failures.size()) < settings_.quarantine_limit || is_last) return;
    const double seconds = std::min(settings_.quarantine_s * static_cast<double>(1U << std::min(node.quarantines, 20)),
                                    settings_.longest_quarantine_s);
    ++node.quarantines;
    node.failures.clear();
    cluster_.set_quarantine(index, now + seconds);
    quarantined_.push_back(index);
    lose_reserved(index);
    actions_.push_back(NodeQuarantined{
        node.name, seconds,
        fmt::format("{} different jobs failed there within {:.0f} s and none finished, the last one as {}",
                    settings_.quarantine_limit, settings_.quarantine_window_s, to_string(failure))});
}

void Scheduler::end_quarantine(NodeIndex node) {
    std::erase(quarantined_, node);
    cluster_.set_quarantine(node, 0);
    mark_dirty(node);
}

void Scheduler::end_quarantines(double now) {
    for (const NodeIndex node : std::vector<NodeIndex>(quarantined_))
        if (now >= cluster_.node(node).quarantined_until || cluster_.healthy_nodes() == 0) end_quarantine(node);
}

/// Jobs for which no other node was free in time may go back to where they failed.
void Scheduler::stop_avoiding(double now) {
    while (!avoiding_.empty() && avoiding_.front().first <= now) {
        const JobIndex job = avoiding_.front().second;
        avoiding_.pop_front();
        const auto note = notes_.find(job);
        if (note == notes_.end() || note->second.avoided == kNoNode) continue;
        const bool is_queued = states_[job] == JobState::kWaiting && !held_.contains(job);
        const NodeIndex node = note->second.avoided;
        if (is_queued) dequeue(job);
        note->second.avoided = kNoNode;
        if (is_queued) enqueue(job);
        mark_dirty(node);
    }
}

}  // namespace leadsweep

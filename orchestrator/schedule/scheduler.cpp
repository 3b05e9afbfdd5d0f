#include "orchestrator/schedule/scheduler.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace leadsweep {

Scheduler::Scheduler(std::vector<ScheduledJob> jobs, std::vector<std::int64_t> shards, SchedulerSettings settings,
                     std::function<AttemptId()> next_attempt)
    : jobs_(std::move(jobs)),
      states_(jobs_.size(), JobState::kWaiting),
      has_seen_oom_(jobs_.size(), false),
      shards_(std::move(shards)),
      settings_(settings),
      next_attempt_(std::move(next_attempt)) {
    counts_[static_cast<std::size_t>(JobState::kWaiting)] = jobs_.size();
    waiting_ = jobs_.size();
    for (JobIndex job = 0; job < jobs_.size(); ++job) enqueue(job);
}

Scheduler::QueueKey Scheduler::key_of(JobIndex job) const {
    const ScheduledJob& j = jobs_[job];
    return {-j.priority, j.devices, j.pack, j.needs_fresh_worker};
}

void Scheduler::set_state(JobIndex job, JobState state) {
    JobState& current = states_[job];
    if (current == JobState::kWaiting && state != JobState::kWaiting) {
        --waiting_;
        const auto queue = queues_.find(key_of(job));
        if (queue != queues_.end()) {
            queue->second.erase(job);
            if (queue->second.empty()) queues_.erase(queue);
        }
    } else if (current != JobState::kWaiting && state == JobState::kWaiting) {
        ++waiting_;
    }
    --counts_[static_cast<std::size_t>(current)];
    ++counts_[static_cast<std::size_t>(state)];
    current = state;
}

void Scheduler::enqueue(JobIndex job) {
    auto& queue = queues_[key_of(job)];
    queue.insert(queue.end(), job);
}

// ---- handing out ----------------------------------------------------------------------------------------------------

std::vector<const Scheduler::QueueKey*> Scheduler::queues_in_order() const {
    std::vector<const QueueKey*> order;
    for (const auto& [key, jobs] : queues_) order.push_back(&key);
    std::sort(order.begin(), order.end(), [&](const QueueKey* a, const QueueKey* b) {
        if (a->descending_priority != b->descending_priority) return a->descending_priority < b->descending_priority;
        return *queues_.at(*a).begin() < *queues_.at(*b).begin();
    });
    return order;
}

std::vector<WorkerId> Scheduler::idle_workers_of(const std::string& node, std::size_t most) const {
    std::vector<WorkerId> found;
    for (const WorkerId id : idle_) {
        if (found.size() == most) break;
        if (workers_.at(id).node == node) found.push_back(id);
    }
    return found;
}

Scheduler::PackOnNode& Scheduler::pack_on(PackIndex pack, const std::string& node) {
    const auto [place, is_new] = packs_.try_emplace({pack, node});
    if (is_new)
        for (std::int64_t shard = 0; shard < shards_[pack]; ++shard) place->second.missing.push_back(shard);
    return place->second;
}

void Scheduler::dispatch(double now) {
    if (is_draining_ || idle_.empty()) return;
    const std::set<std::string> reserved = start_head_gangs(now);
    const std::vector<WorkerId> candidates(idle_.begin(), idle_.end());
    for (const WorkerId worker : candidates) {
        if (!idle_.contains(worker)) continue;
        const bool is_reserved = reserved.contains(workers_.at(worker).node);
        if (!is_reserved && start_job_on(worker, now)) continue;
        start_prepare_on(worker, now);
    }
}

/// Starts gangs at the head of the queue; a head gang that does not fit yet keeps the node where it will fit first.
std::set<std::string> Scheduler::start_head_gangs(double now) {
    while (!queues_.empty()) {
        const QueueKey head = *queues_in_order().front();
        if (head.devices <= 1) return {};
        std::map<std::string, std::pair<int, int>> idle_and_all;
        for (const auto& [id, worker] : workers_) {
            auto& [idle, all] = idle_and_all[worker.node];
            ++all;
            if (idle_.contains(id)) ++idle;
        }
        std::string best;
        int best_idle = -1;
        for (const auto& [node, counts] : idle_and_all) {
            if (counts.second < head.devices || counts.first <= best_idle) continue;
            best = node;
            best_idle = counts.first;
        }
        if (best.empty()) return {};
        if (best_idle < head.devices || !pack_on(head.pack, best).is_complete()) return {best};
        start(head, idle_workers_of(best, static_cast<std::size_t>(head.devices)), now);
    }
    return {};
}

bool Scheduler::start_job_on(WorkerId id, double now) {
    const Worker& worker = workers_.at(id);
    const QueueKey* chosen = nullptr;
    for (const QueueKey* key : queues_in_order()) {
        if (chosen && key->descending_priority != chosen->descending_priority) break;
        if (!pack_on(key->pack, worker.node).is_complete()) continue;
        const auto devices = static_cast<std::size_t>(key->devices);
        if (devices > 1 && idle_workers_of(worker.node, devices).size() < devices) continue;
        const bool is_same_pack = worker.last_pack == key->pack;
        if (!chosen || is_same_pack) chosen = key;
        if (is_same_pack || !worker.last_pack) break;
    }
    if (!chosen) return false;
    if (chosen->needs_fresh_worker && !worker.is_fresh) {
        kill(id, "the next job asks for a fresh process");
        return true;
    }
    auto gang = idle_workers_of(worker.node, static_cast<std::size_t>(chosen->devices));
    if (chosen->devices == 1) gang = {id};
    start(QueueKey(*chosen), std::move(gang), now);
    return true;
}

void Scheduler::start(const QueueKey& key, std::vector<WorkerId> gang, double now) {
    const JobIndex job = *queues_.at(key).begin();
    const AttemptId attempt = next_attempt_();
    set_state(job, JobState::kRunning);
    Work work;
    work.job = job;
    work.pack = key.pack;
    work.gang = gang;
    work.unfinished = {gang.begin(), gang.end()};
    work.started = work.last_progress = now;
    for (const WorkerId id : gang) {
        Worker& worker = workers_.at(id);
        worker.attempt = attempt;
        worker.last_pack = key.pack;
        worker.is_fresh = false;
        idle_.erase(id);
    }
    attempts_.emplace(attempt, std::move(work));
    actions_.push_back(StartAttempt{attempt, job, std::move(gang)});
}

bool Scheduler::start_prepare_on(WorkerId id, double now) {
    Worker& worker = workers_.at(id);
    for (const QueueKey* key : queues_in_order()) {
        PackOnNode& pack = pack_on(key->pack, worker.node);
        if (pack.missing.empty()) continue;
        const AttemptId attempt = next_attempt_();
        Work work;
        work.pack = key->pack;
        work.shard = pack.missing.front();
        work.gang = {id};
        work.unfinished = {id};
        work.started = work.last_progress = now;
        pack.missing.pop_front();
        ++pack.in_work;
        worker.attempt = attempt;
        idle_.erase(id);
        actions_.push_back(StartPrepare{attempt, work.pack, work.shard, id});
        attempts_.emplace(attempt, std::move(work));
        return true;
    }
    return false;
}

// ---- facts ----------------------------------------------------------------------------------------------------------

void Scheduler::on_worker_ready(WorkerId id, std::uint32_t rank, const std::string& node, double now) {
    Worker worker;
    worker.rank = rank;
    worker.node = node;
    worker.last_beat = now;
    workers_[id] = worker;
    idle_.insert(id);
    dispatch(now);
}

void Scheduler::on_beat(WorkerId id, double now) {
    const auto found = workers_.find(id);
    if (found != workers_.end()) found->second.last_beat = now;
}

void Scheduler::on_progress(WorkerId id, AttemptId attempt, double now) {
    on_beat(id, now);
    const auto found = attempts_.find(attempt);
    if (found != attempts_.end()) found->second.last_progress = now;
}

void Scheduler::release(WorkerId id, AttemptId attempt) {
    const auto found = workers_.find(id);
    if (found == workers_.end() || found->second.attempt != attempt) return;
    found->second.attempt = {};
    if (!found->second.is_killed) idle_.insert(id);
}

void Scheduler::on_finished(WorkerId id, AttemptId attempt, double now) {
    const auto found = attempts_.find(attempt);
    if (found == attempts_.end() || !found->second.job || found->second.unfinished.erase(id) == 0) return;
    Work& work = found->second;
    release(id, attempt);
    if (work.unfinished.empty()) {
        if (!work.has_ended) {
            set_state(*work.job, JobState::kFinished);
            same_failures_ = 0;
            actions_.push_back(AttemptEnded{attempt, *work.job, std::nullopt, "", JobState::kFinished});
        }
        attempts_.erase(found);
    }
    dispatch(now);
}

void Scheduler::on_prepared(WorkerId id, AttemptId attempt, double now) {
    const auto found = attempts_.find(attempt);
    if (found == attempts_.end() || found->second.job || found->second.unfinished.erase(id) == 0) return;
    --pack_on(found->second.pack, workers_.at(id).node).in_work;
    release(id, attempt);
    attempts_.erase(found);
    dispatch(now);
}

void Scheduler::on_failed(WorkerId id, AttemptId attempt, FailureClass failure, const std::string& message,
                          double now) {
    const auto found = attempts_.find(attempt);
    if (found == attempts_.end() || found->second.unfinished.erase(id) == 0) return;
    end_attempt(attempt, found->second, failure, message, now);
    release(id, attempt);
    if (found->second.unfinished.empty()) attempts_.erase(found);
    dispatch(now);
}

void Scheduler::on_worker_lost(WorkerId id, FailureClass failure, const std::string& message, double now) {
    remove_worker(id, failure, message, now);
    dispatch(now);
}

void Scheduler::remove_worker(WorkerId id, FailureClass failure, const std::string& message, double now) {
    const auto found = workers_.find(id);
    if (found == workers_.end()) return;
    const AttemptId attempt = found->second.attempt;
    const auto work = attempts_.find(attempt);
    if (work != attempts_.end()) {
        work->second.unfinished.erase(id);
        end_attempt(attempt, work->second, failure, message, now);
        if (work->second.unfinished.empty()) attempts_.erase(work);
    }
    idle_.erase(id);
    workers_.erase(id);
}

void Scheduler::on_supervisor_lost(std::uint32_t rank, const std::string& message, double now) {
    std::vector<WorkerId> lost;
    for (const auto& [id, worker] : workers_)
        if (worker.rank == rank) lost.push_back(id);
    for (const WorkerId id : lost) remove_worker(id, FailureClass::kNodeLost, message, now);
    dispatch(now);
}

}  // namespace leadsweep

// What people ask of a running sweep: requests of other commands are carried out and answered. Answers about changes
// leave when the changes are durable.
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "orchestrator/coordinator/coordinator.hpp"
#include "orchestrator/coordinator/job_changes.hpp"

namespace leadsweep {

void Coordinator::answer_requests(double now) {
    for (const ReceivedRequest& received : requests_.take_requests())
        std::visit([&](const auto& request) { answer(received, request, now); }, received.letter.request);
}

std::optional<JobIndex> Coordinator::index_of(JobId job) {
    if (index_of_job_.empty())
        for (JobIndex index = 0; index < work_.jobs.size(); ++index) index_of_job_.emplace(work_.jobs[index].id, index);
    const auto found = index_of_job_.find(job);
    return found == index_of_job_.end() ? std::nullopt : std::optional(found->second);
}

void Coordinator::record_wish(const std::string& kind, const std::string& by, std::vector<JobId> jobs) {
    commits_.submit([=, jobs = std::move(jobs)](ResultStore& store) {
        for (const JobId job : jobs) store.record_event({kind, "asked by " + by, job, {}, ""});
    });
}

void Coordinator::answer(const ReceivedRequest& received, const CancelRequest& request, double now) {
    const auto reply = std::make_shared<CancelReply>();
    std::vector<JobId> known;
    std::vector<JobId> others;
    for (const JobId job : request.jobs) {
        const auto index = index_of(job);
        if (!index) {
            others.push_back(job);
            continue;
        }
        const bool is_waiting = scheduler_.state(*index) == JobState::kWaiting;
        if (!scheduler_.cancel(*index, now)) {
            ++reply->ended;
            continue;
        }
        ++(is_waiting ? reply->waiting : reply->running);
        known.push_back(job);
    }
    view_.say(fmt::format("{} cancels {} jobs", received.letter.by, known.size() + others.size()));
    record_wish("cancel_requested", received.letter.by, std::move(known));
    carry_out_decisions();
    commits_.submit([reply, others, by = received.letter.by](ResultStore& store) {
        const CancelReply stored = cancel_stored(store, others, by);
        reply->waiting += stored.waiting;
        reply->ended += stored.ended;
    });
    commits_.after_commit([this, reply, id = received.id](ResultStore&) { requests_.reply(id, *reply); });
}

void Coordinator::answer(const ReceivedRequest& received, const RetryRequest& request, double now) {
    const auto reply = std::make_shared<RetryReply>();
    std::vector<JobId> known;
    std::vector<JobId> others;
    for (const JobId job : request.jobs) {
        const auto index = index_of(job);
        if (!index) {
            others.push_back(job);
            continue;
        }
        if (!scheduler_.retry(*index, now)) {
            ++reply->kept;
            continue;
        }
        ++reply->queued;
        --progress_.failed;
        known.push_back(job);
    }
    view_.say(fmt::format("{} retries {} jobs", received.letter.by, known.size() + others.size()));
    commits_.submit([known](ResultStore& store) {
        for (const JobId job : known) store.set_state(job, JobState::kWaiting);
    });
    record_wish("retry_requested", received.letter.by, std::move(known));
    carry_out_decisions();
    commits_.submit([reply, others, by = received.letter.by](ResultStore& store) {
        const RetryReply stored = retry_stored(store, others, by);
        reply->later += stored.later;
        reply->kept += stored.kept;
    });
    commits_.after_commit([this, reply, id = received.id](ResultStore&) { requests_.reply(id, *reply); });
}

void Coordinator::answer(const ReceivedRequest& received, const WhyRequest& request, double now) {
    const auto index = index_of(request.job);
    requests_.reply(received.id, WhyReply{index ? scheduler_.why(*index, now)
                                                : fmt::format("it is no job of sweep {} that runs now, or was done "
                                                              "before it started",
                                                              plan_.sweep_name)});
}

void Coordinator::answer(const ReceivedRequest& received, const BackupRequest& request, double) {
    commits_.after_commit([this, id = received.id, path = request.path](ResultStore& store) {
        try {
            store.write_copy(path);
            requests_.reply(id, BackupReply{static_cast<std::int64_t>(std::filesystem::file_size(path))});
        } catch (const std::exception& error) {
            requests_.reply(id, ErrorReply{error.what()});
        }
    });
}

std::vector<RunningAttempt> Coordinator::longest_running(double now) const {
    std::vector<AttemptId> attempts;
    for (const auto& [attempt, note] : attempts_) attempts.push_back(attempt);
    std::sort(attempts.begin(), attempts.end());  // ids rise with the time of the start
    attempts.resize(std::min(attempts.size(), kMostRunningTold));
    std::vector<RunningAttempt> running;
    for (const AttemptId attempt : attempts) {
        const AttemptNote& note = attempts_.at(attempt);
        const auto leader = workers_.find(note.gang.front());
        const WorkerNote worker = leader == workers_.end() ? WorkerNote{} : leader->second;
        const Progress& p = note.latest;
        running.push_back({work_.jobs[note.job].id, attempt, label(note.job), worker.node, worker.device.uuid, p.phase,
                           p.epoch, p.epochs, p.fraction, p.loss, p.records_per_s, now - note.started_s});
    }
    return running;
}

void Coordinator::answer(const ReceivedRequest& received, const StatusRequest&, double now) {
    StatusReply reply;
    reply.sweep = plan_.sweep_name;
    reply.elapsed_s = now - started_s_;
    reply.jobs = static_cast<std::int64_t>(progress_.jobs);
    reply.finished = static_cast<std::int64_t>(progress_.finished);
    reply.failed = static_cast<std::int64_t>(progress_.failed);
    reply.remaining_s = estimate_remaining_s(progress_);
    reply.running_count = static_cast<std::int64_t>(attempts_.size());
    std::map<std::pair<std::string, std::string>, NodeUse> nodes;
    for (const auto& [id, worker] : workers_) {
        NodeUse& use = nodes[{worker.node, worker.device.kind}];
        use.node = worker.node;
        use.device_kind = worker.device.kind;
        ++use.workers;
    }
    for (const auto& [attempt, note] : attempts_)
        for (const WorkerId id : note.gang) {
            const auto worker = workers_.find(id);
            if (worker != workers_.end()) ++nodes[{worker->second.node, worker->second.device.kind}].busy;
        }
    for (const auto& [key, use] : nodes) reply.nodes.push_back(use);
    reply.running = longest_running(now);
    requests_.reply(received.id, std::move(reply));
}

}  // namespace leadsweep

// What the scheduler decides becomes messages, rows and words.
#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/coordinator/coordinator.hpp"
#include "shared/core/log.hpp"
#include "shared/job/attempt_files.hpp"

namespace leadsweep {

void Coordinator::carry_out_decisions() {
    for (const Action& action : scheduler_.take_actions())
        std::visit([this](const auto& decision) { carry_out(decision); }, action);
}

void Coordinator::carry_out(const StartAttempt& action) {
    RunJob& job = work_.jobs[action.job];
    const PlannedJob& planned_job = planned(action.job);
    Assign assign;
    assign.attempt = action.attempt;
    assign.key = hex_of(planned_job.key);
    assign.train_key = hex_of(planned_job.train_key);
    const std::string relative = fmt::format("{}/{}", assign.key, action.attempt.value);
    const WorkerNote& leader = workers_.at(action.gang.front());
    commits_.submit(AttemptStart{action.attempt, job.id, leader.node, action.gang.front(), leader.device.kind,
                                 leader.device.uuid, relative, leader.log_path, leader.log_offset});

    assign.spec = plan_.specs.text(job.planned);
    assign.lists_path = work_.lists[planned_job.lists].path;
    assign.lists_digest = work_.lists[planned_job.lists].digest;
    assign.pack_folder = work_.packs[planned_job.pack].folder;
    assign.attempt_folder = fmt::format("{}/{}", settings_.work_folder, relative);
    if (const auto model = work_.trained.find(planned_job.train_key); model != work_.trained.end()) {
        assign.model_path = model->second.path;
        assign.model_digest = model->second.digest;
    } else if (job.has_history) {
        assign.resume_folder = newest_folder_with_checkpoint(fmt::format("{}/{}", settings_.work_folder, assign.key));
    }
    job.has_history = true;
    for (std::size_t i = 0; i < action.gang.size(); ++i) {
        assign.gang = {static_cast<int>(i), static_cast<int>(action.gang.size())};
        send_to_worker(action.gang[i], assign);
    }
    const double now = now_s();
    if (first_start_s_ == 0) first_start_s_ = now;
    attempts_[action.attempt] = {action.job, action.gang, now, 0, "", "", {}};
}

void Coordinator::carry_out(const StartPrepare& action) {
    const RunPack& pack = work_.packs[action.pack];
    send_to_worker(action.worker, Prepare{action.attempt, SpecText(plan_.packs[action.pack].spec).whole(),
                                          pack.catalogue_path, pack.folder, action.shard});
}

void Coordinator::carry_out(const StopAttempt& action) {
    for (const WorkerId worker : action.workers) send_to_worker(worker, Stop{action.attempt, action.reason});
}

void Coordinator::carry_out(const KillWorker& action) {
    log::debug("worker {:x} is ended: {}", action.worker.value, action.why);
    transport_.send(rank_of(action.worker), ReplaceWorker{action.worker, action.why});
}

void Coordinator::carry_out(const AttemptEnded& action) {
    const auto found = attempts_.find(action.attempt);
    AttemptEnd end;
    if (found != attempts_.end()) {
        const AttemptNote& note = found->second;
        end.seconds = now_s() - note.started_s;
        const auto worker = workers_.find(note.gang.front());
        if (worker != workers_.end())
            end.log_length = std::max<std::int64_t>(0, note.log_length - worker->second.log_offset);
    }
    if (!action.failure) {
        commits_.submit(
            FinishedAttempt{action.attempt, action.job, found->second.result_path, found->second.result_digest, end});
        attempts_.erase(found);
        return;
    }
    const bool is_final = is_terminal(action.job_state);
    commits_.submit([=](ResultStore& store) {
        store.record_failed(action.attempt, *action.failure, action.message, is_final, end);
    });
    if (found != attempts_.end()) attempts_.erase(found);
    if (is_final) ++progress_.failed;
    if (*action.failure != FailureClass::kInterrupted)
        view_.say(fmt::format(
            "{}: attempt {} {}: {}{}", label(action.job), action.attempt.value, to_string(*action.failure),
            action.message,
            is_final ? fmt::format("; the job is {}", to_string(action.job_state)) : "; it is tried again"));
}

void Coordinator::carry_out(const JobEnded& action) {
    ++progress_.failed;
    const JobId id = work_.jobs[action.job].id;
    view_.say(fmt::format("{}: {}: {}", label(action.job), to_string(action.state), action.message));
    commits_.submit([=](ResultStore& store) {
        store.set_state(id, action.state);
        store.record_event({"job_ended", action.message, id, {}, ""});
    });
}

void Coordinator::carry_out(const SweepStopped& action) {
    view_.say(action.why);
    commits_.submit([why = action.why](ResultStore& store) { store.record_event({"sweep_stopped", why, {}, {}, ""}); });
}

void Coordinator::carry_out(const NodeQuarantined& action) {
    const std::string text = fmt::format("{} gets no work for {:.0f} s: {}", action.node, action.seconds, action.why);
    view_.say(text);
    commits_.submit([text](ResultStore& store) { store.record_event({"node_quarantined", text, {}, {}, ""}); });
}

}  // namespace leadsweep

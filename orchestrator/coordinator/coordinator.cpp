#include "orchestrator/coordinator/coordinator.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr auto kReceiveTimeout = std::chrono::milliseconds(20);
constexpr double kBeatInterval_s = 0.5;
constexpr double kTickInterval_s = 0.2;

std::uint32_t rank_of(WorkerId worker) {
    return static_cast<std::uint32_t>(worker.value >> 32U);
}

std::vector<ScheduledJob> scheduled(const std::vector<RunJob>& jobs) {
    std::vector<ScheduledJob> made;
    for (const RunJob& job : jobs) {
        const ResourcesSpec& wanted = job.spec->resources;
        made.push_back({job.pack, static_cast<int>(wanted.devices), static_cast<int>(wanted.max_attempts),
                        static_cast<int>(job.attempts_used), wanted.priority, wanted.timeout_s,
                        wanted.isolation == "process"});
    }
    return made;
}

std::vector<std::int64_t> shards_of(const std::vector<RunPack>& packs) {
    std::vector<std::int64_t> shards;
    for (const RunPack& pack : packs) shards.push_back(pack.shards);
    return shards;
}

}  // namespace

Coordinator::Coordinator(std::vector<RunJob> jobs, std::vector<RunPack> packs, CoordinatorSettings settings,
                         ResultStore& store, Transport& transport, ProgressView& view)
    : jobs_(std::move(jobs)),
      packs_(std::move(packs)),
      settings_(std::move(settings)),
      store_(store),
      transport_(transport),
      view_(view),
      ids_(store.reserve_attempt_ids(std::max<std::uint64_t>(1000, 2 * jobs_.size()))),
      scheduler_(scheduled(jobs_), shards_of(packs_), settings_.scheduling, [this] { return next_attempt(); }),
      commits_(store),
      supervisors_(transport.size()) {
    progress_.sweep = settings_.sweep_name;
    progress_.jobs = jobs_.size();
    for (JobIndex job = 0; job < jobs_.size(); ++job)
        if (jobs_[job].model_path.empty()) untrained_.emplace(jobs_[job].keys->train_key, job);
}

AttemptId Coordinator::next_attempt() {
    if (ids_.count == 0) ids_ = store_.reserve_attempt_ids();
    --ids_.count;
    return {ids_.first.value++};
}

int Coordinator::run() {
    started_s_ = now_s();
    for (Supervisor& supervisor : supervisors_) supervisor.last_heard_s = started_s_;
    try {
        serve();
    } catch (...) {
        view_.end(progress_);
        stop_supervisors(true);
        throw;
    }
    view_.end(progress_);
    stop_supervisors(interruption_.count() > 1);
    return exit_code();
}

void Coordinator::serve() {
    double next_beat = 0;
    double next_tick = 0;
    while (!is_over()) {
        auto messages = transport_.receive(kReceiveTimeout);
        clock_.turn();
        for (Received& received : messages) on_message(received.rank, received.message);
        for (const CommitOutcome& outcome : commits_.take_outcomes()) on_committed(outcome);
        const double now = now_s();
        if (now >= next_beat) {
            send_to_all(CoordinatorBeat{settings_.incarnation});
            next_beat = now + kBeatInterval_s;
        }
        if (now >= next_tick) {
            check_supervisors();
            check_interruption();
            scheduler_.on_tick(now);
            next_tick = now + kTickInterval_s;
        }
        carry_out_decisions();
        progress_.elapsed_s = now - started_s_;
        progress_.workers = scheduler_.worker_count();
        view_.show(progress_, now);
    }
}

bool Coordinator::is_over() const {
    if (commits_.pending() > 0) return false;
    return scheduler_.is_done() || ended_early_ || (drain_deadline_s_ > 0 && now_s() > drain_deadline_s_);
}

int Coordinator::exit_code() const {
    if (interruptions_seen_ > 0 && scheduler_.count(JobState::kFinished) + progress_.failed < jobs_.size()) {
        view_.say(fmt::format("interrupted: {} of {} jobs are done; the same command goes on from here",
                              progress_.finished, jobs_.size()));
        return kExitInterrupted;
    }
    if (ended_early_) {
        view_.say(*ended_early_);
        return kExitInterrupted;
    }
    return progress_.finished == jobs_.size() ? kExitDone : kExitSomeFailed;
}

// ---- facts ----------------------------------------------------------------------------------------------------------

void Coordinator::on_message(std::uint32_t rank, FromSupervisor& message) {
    Supervisor& supervisor = supervisors_.at(rank);
    if (supervisor.is_lost) return on_lost_supervisor_heard(rank, message);
    supervisor.last_heard_s = now_s();
    if (const auto* ready = std::get_if<SupervisorReady>(&message)) {
        supervisor.node = ready->node;
        supervisor.slots = ready->device_slots;
    } else if (const auto* worker = std::get_if<WorkerReady>(&message)) {
        on_worker_ready(rank, *worker);
    } else if (const auto* fact = std::get_if<FromWorkerOf>(&message)) {
        on_worker_message(*fact);
    } else if (const auto* lost = std::get_if<WorkerLost>(&message)) {
        for (auto& [attempt, note] : attempts_)
            if (std::find(note.gang.begin(), note.gang.end(), lost->worker) != note.gang.end())
                note.log_length = lost->log_length;
        scheduler_.on_worker_lost(lost->worker, lost->failure, lost->message, now_s());
        carry_out_decisions();
        workers_.erase(lost->worker);
    } else if (const auto* failed = std::get_if<SupervisorFailed>(&message)) {
        on_supervisor_gone(rank, failed->message);
        supervisor.is_asked_to_reset = true;  // it has ended: in vain
    }
}

void Coordinator::on_worker_ready(std::uint32_t rank, const WorkerReady& ready) {
    Supervisor& supervisor = supervisors_.at(rank);
    workers_[ready.worker] = {supervisor.node, ready.hello.device, ready.log_path, 0};
    scheduler_.on_worker_ready(ready.worker, rank, supervisor.node, now_s());
}

void Coordinator::on_worker_message(const FromWorkerOf& fact) {
    const double now = now_s();
    const WorkerId worker = fact.worker;
    scheduler_.on_beat(worker, now);
    if (const auto* progress = std::get_if<Progress>(&fact.message)) {
        scheduler_.on_progress(worker, progress->attempt, now);
        const auto running = progress_.running.find(progress->attempt);
        if (running != progress_.running.end()) running->second.latest = *progress;
        return;
    }
    if (const auto* offered = std::get_if<RendezvousOffered>(&fact.message)) {
        const auto note = attempts_.find(offered->attempt);
        if (note == attempts_.end()) return;
        for (std::size_t i = 1; i < note->second.gang.size(); ++i)
            send_to_worker(note->second.gang[i], Rendezvous{offered->attempt, offered->address, offered->token});
        return;
    }
    if (const auto* finished = std::get_if<Finished>(&fact.message)) {
        const auto note = attempts_.find(finished->attempt);
        if (note != attempts_.end() && note->second.gang.front() == worker) {
            note->second.result_path = finished->result_path;
            note->second.result_digest = finished->result_digest;
            note->second.log_length = fact.log_length;
        }
        scheduler_.on_finished(worker, finished->attempt, now);
    } else if (const auto* prepared = std::get_if<Prepared>(&fact.message)) {
        scheduler_.on_prepared(worker, prepared->attempt, now);
    } else if (const auto* failed = std::get_if<Failed>(&fact.message)) {
        const auto note = attempts_.find(failed->attempt);
        if (note != attempts_.end()) note->second.log_length = fact.log_length;
        scheduler_.on_failed(worker, failed->attempt, failed->failure, failed->message, now);
    }
    carry_out_decisions();
    const auto note = workers_.find(worker);
    if (note != workers_.end() && fact.log_length > 0) note->second.log_offset = fact.log_length;
}

void Coordinator::check_interruption() {
    const int seen = interruption_.count();
    if (seen == interruptions_seen_) return;
    const bool is_now = seen > 1;
    interruptions_seen_ = seen;
    view_.say(is_now ? "stopping at once" : "stopping: checkpoints are written; once more stops at once");
    scheduler_.drain(is_now, now_s());
    drain_deadline_s_ = now_s() + (is_now ? 5 : settings_.stop_timeout_s);
}

void Coordinator::on_committed(const CommitOutcome& outcome) {
    if (outcome.problem) {
        scheduler_.on_result_rejected(outcome.attempt, outcome.job_index, FailureClass::kCrashed, *outcome.problem,
                                      now_s());
        return;
    }
    ++progress_.finished;
    share_model(outcome);
}

/// Jobs of this run with the same train_key need not train again.
void Coordinator::share_model(const CommitOutcome& outcome) {
    if (!outcome.model) return;
    const auto [first, last] = untrained_.equal_range(jobs_[outcome.job_index].keys->train_key);
    for (auto entry = first; entry != last; ++entry) {
        jobs_[entry->second].model_path = outcome.model->path;
        jobs_[entry->second].model_digest = outcome.model->digest;
    }
    untrained_.erase(first, last);
}

// ---- decisions ------------------------------------------------------------------------------------------------------

void Coordinator::carry_out_decisions() {
    for (const Action& action : scheduler_.take_actions())
        std::visit([this](const auto& decision) { carry_out(decision); }, action);
}

void Coordinator::carry_out(const StartAttempt& action) {
    RunJob& job = jobs_[action.job];
    const std::string relative = fmt::format("{}/{}", job.keys->key, action.attempt.value);
    const WorkerNote& leader = workers_.at(action.gang.front());
    AttemptStart start{action.attempt,     job.id,   leader.node,     action.gang.front(), leader.device.kind,
                       leader.device.uuid, relative, leader.log_path, leader.log_offset};
    commits_.submit([start](ResultStore& store) { store.record_attempt_started(start); });

    Assign assign;
    assign.attempt = action.attempt;
    assign.key = job.keys->key;
    assign.train_key = job.keys->train_key;
    assign.spec = to_json(*job.spec);
    assign.lists_path = job.lists_path;
    assign.lists_digest = job.lists_digest;
    assign.pack_folder = packs_[job.pack].folder;
    assign.attempt_folder = fmt::format("{}/{}", settings_.work_folder, relative);
    assign.model_path = job.model_path;
    assign.model_digest = job.model_digest;
    if (job.has_history && job.model_path.empty()) assign.resume_folder = newest_checkpoint_folder(job.keys->key);
    job.has_history = true;
    for (std::size_t i = 0; i < action.gang.size(); ++i) {
        assign.gang = {static_cast<int>(i), static_cast<int>(action.gang.size())};
        send_to_worker(action.gang[i], assign);
    }
    attempts_[action.attempt] = {action.job, action.gang, now_s(), 0, "", ""};
    progress_.running[action.attempt] = {label(action.job), leader.device.uuid, now_s(), {}};
}

void Coordinator::carry_out(const StartPrepare& action) {
    const RunPack& pack = packs_[action.pack];
    send_to_worker(action.worker,
                   Prepare{action.attempt, to_json(*pack.spec), pack.catalogue_path, pack.folder, action.shard});
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
    progress_.running.erase(action.attempt);
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
    const JobId id = jobs_[action.job].id;
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

// ---- ways out -------------------------------------------------------------------------------------------------------

void Coordinator::send_to_worker(WorkerId worker, ToWorker message) {
    transport_.send(rank_of(worker), ToWorkerOf{worker, std::move(message)});
}

void Coordinator::send_to_all(const ToSupervisor& message) {
    for (std::uint32_t rank = 0; rank < supervisors_.size(); ++rank)
        if (!supervisors_[rank].is_lost) transport_.send(rank, message);
}

void Coordinator::stop_supervisors(bool is_now) {
    send_to_all(StopSupervisor{is_now});
    // One more turn, so that what was sent leaves this process.
    (void)transport_.receive(std::chrono::milliseconds(1));
}

std::string Coordinator::newest_checkpoint_folder(const std::string& key) const {
    std::uint64_t newest = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(settings_.work_folder + "/" + key, error)) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        if (std::filesystem::exists(entry.path() / "checkpoint.safetensors", error))
            newest = std::max<std::uint64_t>(newest, std::stoull(name));
    }
    return newest == 0 ? "" : fmt::format("{}/{}/{}", settings_.work_folder, key, newest);
}

}  // namespace leadsweep

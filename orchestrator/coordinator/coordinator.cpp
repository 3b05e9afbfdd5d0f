#include "orchestrator/coordinator/coordinator.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/resource.h>
#include <nlohmann/json.hpp>

#include "orchestrator/store/store_lock.hpp"

namespace leadsweep {
namespace {

constexpr auto kReceiveTimeout = std::chrono::milliseconds(20);
constexpr auto kCommitTimeout = std::chrono::milliseconds(1);
constexpr double kBeatInterval_s = 0.5;
constexpr double kTickInterval_s = 0.2;
constexpr double kViewInterval_s = 0.2;

std::vector<ScheduledJob> scheduled(const Plan& plan, const RunWork& work) {
    std::vector<ScheduledJob> made;
    made.reserve(work.jobs.size());
    SpecCursor cursor(plan.specs);
    for (const RunJob& job : work.jobs) {
        cursor.seek(job.planned);
        const ResourcesSpec& wanted = cursor.spec().resources;
        made.push_back({.pack = plan.jobs[job.planned].pack,
                        .devices = static_cast<int>(wanted.devices),
                        .max_attempts = static_cast<int>(wanted.max_attempts),
                        .attempts_used = static_cast<int>(job.attempts_used),
                        .priority = wanted.priority,
                        .timeout_s = wanted.timeout_s,
                        .needs_fresh_worker = wanted.isolation == "process",
                        .across_nodes = wanted.across_nodes == "true",
                        .slots_per_device = static_cast<int>(wanted.slots_per_device),
                        .expected_s = job.expected_s,
                        .upper_s = job.upper_s});
    }
    return made;
}

std::vector<std::int64_t> shards_of(const std::vector<RunPack>& packs) {
    std::vector<std::int64_t> shards;
    for (const RunPack& pack : packs) shards.push_back(pack.shards);
    return shards;
}

}  // namespace

Coordinator::Coordinator(const Plan& plan, RunWork work, CoordinatorSettings settings, ResultStore& store,
                         Transport& transport, ProgressView& view)
    : plan_(plan),
      work_(std::move(work)),
      settings_(std::move(settings)),
      store_(store),
      transport_(transport),
      view_(view),
      ids_(store.reserve_attempt_ids(std::max<std::uint64_t>(1000, 2 * work_.jobs.size()))),
      scheduler_(scheduled(plan, work_), shards_of(work_.packs), settings_.scheduling,
                 [this] { return next_attempt(); }),
      requests_(store.path(), StoreLock::holder_of(store.path()).value_or("")),
      commits_(store),
      supervisors_(transport.size()) {
    progress_.sweep = plan.sweep_name;
    progress_.jobs = work_.jobs.size();
}

AttemptId Coordinator::next_attempt() {
    if (ids_.count == 0) ids_ = store_.reserve_attempt_ids();
    --ids_.count;
    return {ids_.first.value++};
}

int Coordinator::run() {
    started_s_ = now_s();
    cpu_before_s_ = cpu_seconds_of(::pthread_self());
    for (Supervisor& supervisor : supervisors_) supervisor.last_heard_s = started_s_;
    if (settings_.time_left_s) scheduler_.set_deadline(started_s_ + *settings_.time_left_s, started_s_);
    try {
        serve();
    } catch (...) {
        view_.end(progress_);
        stop_supervisors(true);
        throw;
    }
    view_.end(progress_);
    stop_supervisors(interruption_.count() > 1);
    record_run();
    return exit_code();
}

/// What the run cost, for the report and for benchmarks: kept with the results as an event.
void Coordinator::record_run() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const nlohmann::json cost = {{"jobs", work_.jobs.size()},
                                 {"finished", progress_.finished},
                                 {"failed", progress_.failed},
                                 {"seconds", std::max(0.0, last_commit_s_ - first_start_s_)},
                                 {"coordinator_cpu_s", cpu_seconds_of(::pthread_self()) - cpu_before_s_},
                                 {"store_cpu_s", commits_.cpu_seconds()},
                                 {"peak_rss_kib", usage.ru_maxrss}};
    store_.record_event({"run_ended",
                         fmt::format("{} of {} jobs finished", progress_.finished, work_.jobs.size()),
                         {},
                         {},
                         cost.dump()});
}

void Coordinator::serve() {
    double next_beat = 0;
    double next_tick = 0;
    double next_view = 0;
    while (!is_over()) {
        const bool is_idle = attempts_.empty() && commits_.pending() > 0;  // only the database is waited for
        auto messages = transport_.receive(is_idle ? kCommitTimeout : kReceiveTimeout);
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
            answer_requests(now);
            scheduler_.on_tick(now);
            next_tick = now + kTickInterval_s;
        }
        carry_out_decisions();
        if (attempts_.empty()) commits_.hurry();
        if (now >= next_view) {
            show_progress(now);
            next_view = now + kViewInterval_s;
        }
    }
}

void Coordinator::show_progress(double now) {
    progress_.elapsed_s = now - started_s_;
    progress_.workers = scheduler_.worker_count();
    progress_.running.clear();
    for (const auto& [attempt, note] : attempts_) {
        const auto worker = workers_.find(note.gang.front());
        progress_.running[attempt] = {label(note.job), worker == workers_.end() ? "" : worker->second.device.uuid,
                                      note.started_s, note.latest};
    }
    view_.show(progress_, now);
}

bool Coordinator::is_over() const {
    if (commits_.pending() > 0) return false;
    return scheduler_.is_done() || ended_early_ || (drain_deadline_s_ > 0 && now_s() > drain_deadline_s_);
}

int Coordinator::exit_code() const {
    std::optional<std::string> why = ended_early_;
    if (!why && drain_deadline_s_ > 0 && scheduler_.count(JobState::kFinished) + progress_.failed < work_.jobs.size())
        why = fmt::format("interrupted: {} of {} jobs are done; the same command goes on from here", progress_.finished,
                          work_.jobs.size());
    if (const std::size_t left = scheduler_.left_for_next_allocation(); !why && left > 0)
        why = fmt::format("{} jobs are left for another run: {}; the same command goes on from here", left,
                          settings_.time_left_s ? "they cannot end before the time limit"
                                                : "the nodes that are left cannot hold them");
    if (!why) return progress_.finished == work_.jobs.size() ? kExitDone : kExitSomeFailed;
    view_.say(*why);
    return kExitInterrupted;
}

// ---- facts ----------------------------------------------------------------------------------------------------------

void Coordinator::on_message(std::uint32_t rank, FromSupervisor& message) {
    Supervisor& supervisor = supervisors_.at(rank);
    if (supervisor.is_lost) return on_lost_supervisor_heard(rank, message);
    supervisor.last_heard_s = now_s();
    if (const auto* ready = std::get_if<SupervisorReady>(&message)) {
        supervisor.node = ready->node;
        start_workers(rank, ready->devices);
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
    scheduler_.on_worker_ready(ready.worker, rank, supervisor.node, ready.hello.device.uuid, now_s());
}

void Coordinator::on_worker_message(const FromWorkerOf& fact) {
    const double now = now_s();
    const WorkerId worker = fact.worker;
    scheduler_.on_beat(worker, now);
    if (const auto* progress = std::get_if<Progress>(&fact.message)) {
        scheduler_.on_progress(worker, progress->attempt, progress->phase, now);
        const auto note = attempts_.find(progress->attempt);
        if (note != attempts_.end()) note->second.latest = *progress;
        return;
    }
    if (const auto* saved = std::get_if<CheckpointSaved>(&fact.message)) {
        const auto note = attempts_.find(saved->attempt);
        if (note != attempts_.end() && note->second.gang.front() == worker)
            commits_.submit([checkpoint = SavedCheckpoint{saved->attempt, saved->epoch, saved->digest}](
                                ResultStore& store) { store.record_checkpoint(checkpoint); });
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
    if (seen != interruptions_seen_) {
        interruptions_seen_ = seen;
        stop_running(seen > 1,
                     seen > 1 ? "stopping at once" : "stopping: checkpoints are written; once more stops at once");
    } else if (settings_.time_left_s && drain_deadline_s_ == 0) {
        const double left = *settings_.time_left_s - (now_s() - started_s_);
        if (left <= std::min(settings_.stop_timeout_s, *settings_.time_left_s / 4))
            stop_running(false, fmt::format("the time limit is {:.0f} s away: checkpoints are written", left));
    }
}

void Coordinator::stop_running(bool is_now, const std::string& words) {
    view_.say(words);
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
    last_commit_s_ = now_s();
    share_model(outcome);
}

/// Jobs of this run with the same train_key need not train again.
void Coordinator::share_model(const CommitOutcome& outcome) {
    if (!outcome.model) return;
    const Artifact& model = *outcome.model;
    work_.trained.try_emplace(planned(outcome.job_index).train_key,
                              TrainedModel{model.path, model.digest, model.size_bytes});
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
    bid_farewell_to_lost();
    // One more turn, so that what was sent leaves this process.
    (void)transport_.receive(std::chrono::milliseconds(1));
}

}  // namespace leadsweep

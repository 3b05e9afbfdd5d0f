// Time-outs and the stopping of attempts. Each worker has one alarm: when it is looked at again. Signs of life only
// note the time; an alarm that comes too early is set anew.
#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {
namespace {

constexpr double kRecheck_s = 5;  // idle nodes are looked at again: estimates and rules of locality change with time
constexpr double kSilent_s = 5;   // a worker beats once a second: this is no longer a late beat
constexpr double kOverdue = 0.5;  // what is overdue is expected to take this part of its time so far longer

}  // namespace

std::uint32_t Scheduler::phase_index(std::string_view name) {
    const auto known =
        std::find_if(phases_.begin(), phases_.end(), [&](const Phase& phase) { return phase.name == name; });
    if (known != phases_.end()) return static_cast<std::uint32_t>(known - phases_.begin());
    const auto own = settings_.phase_timeouts_s.find(std::string(name));
    phases_.push_back(
        {std::string(name), own == settings_.phase_timeouts_s.end() ? settings_.phase_timeout_s : own->second});
    return static_cast<std::uint32_t>(phases_.size() - 1);
}

// ---- stopping -------------------------------------------------------------------------------------------------------

void Scheduler::stop_work(AttemptId attempt, Work& work, FailureClass verdict, std::string message, double grace_s,
                          double now) {
    if (work.verdict) return;
    work.verdict = verdict;
    work.verdict_message = std::move(message);
    work.kill_at = now + grace_s;
    actions_.push_back(StopAttempt{attempt, members(attempt, work), verdict});
    for (const WorkerIndex member : work.gang)
        if (cluster_.worker(member).attempt == attempt) watch(member);
}

void Scheduler::kill(WorkerIndex index, const std::string& why, bool for_freshness, double now) {
    const Worker& worker = cluster_.worker(index);
    if (worker.is_killed) return;
    cluster_.set_killed(index, for_freshness, now);
    actions_.push_back(KillWorker{worker.id, why});
}

// ---- alarms ---------------------------------------------------------------------------------------------------------

double Scheduler::progress_deadline(const Work& work) const {
    return std::max(work.last_progress, grace_from_) + phases_[work.phase].timeout_s;
}

double Scheduler::deadline_of(const Worker& worker) const {
    if (worker.is_killed) return kNever;
    double deadline = std::max(worker.last_beat, grace_from_) + settings_.beat_timeout_s;
    const auto found = attempts_.find(worker.attempt);
    if (found == attempts_.end()) return deadline;
    const Work& work = found->second;
    if (work.verdict || work.has_ended) return std::min(deadline, work.kill_at);
    deadline = std::min({deadline, progress_deadline(work), work.expected_end});
    if (work.job && jobs_[*work.job].timeout_s > 0)
        deadline = std::min(deadline, work.started + jobs_[*work.job].timeout_s);
    return deadline;
}

void Scheduler::watch(WorkerIndex index) {
    Worker& worker = cluster_.worker(index);
    const double deadline = deadline_of(worker);
    if (deadline >= worker.alarm) return;
    worker.alarm = deadline;
    alarms_.emplace(deadline, index);
}

void Scheduler::on_tick(double now) {
    now_ = now;
    // If nobody asked for so long, messages lie about that were not read: their senders are not to blame.
    if (now - last_tick_ > settings_.beat_timeout_s / 2) grace_from_ = now;
    last_tick_ = now;
    while (!alarms_.empty() && alarms_.top().first <= now) {
        const auto [at, worker] = alarms_.top();
        alarms_.pop();
        if (cluster_.worker(worker).alarm != at) continue;
        cluster_.worker(worker).alarm = kNever;
        check(worker, now);
        watch(worker);
    }
    end_quarantines(now);
    stop_avoiding(now);
    if (now < next_recheck_) return;
    next_recheck_ = now + kRecheck_s;
    if (waiting_ > held_.size()) mark_all_idle();
}

void Scheduler::check(WorkerIndex index, double now) {
    const Worker& worker = cluster_.worker(index);
    if (worker.is_killed) return;
    const auto found = attempts_.find(worker.attempt);
    if (found != attempts_.end()) check_attempt(found->first, found->second, now);
    const double silent_since = std::max(worker.last_beat, grace_from_);
    if (now < silent_since + settings_.beat_timeout_s) return;
    std::string why =
        fmt::format("no sign of life for {:.0f} s: stopped (SIGSTOP), swapped out, or its node {} is overloaded",
                    now - worker.last_beat, cluster_.node(worker.node).name);
    if (found != attempts_.end() && !found->second.verdict) {
        Work& work = found->second;
        const auto rank = std::find(work.gang.begin(), work.gang.end(), index) - work.gang.begin();
        if (work.gang.size() > 1) why = fmt::format("worker {} of {}: {}", rank, work.gang.size(), why);
        work.verdict = FailureClass::kHung;
        work.verdict_message = why;
    }
    kill(index, why, false, now);
}

void Scheduler::check_attempt(AttemptId attempt, Work& work, double now) {
    if (work.verdict || work.has_ended) {
        if (now < work.kill_at) return;
        for (const WorkerIndex member : work.gang)
            if (cluster_.worker(member).attempt == attempt)
                kill(member, work.verdict ? work.verdict_message : "it did not stop in time", false, now);
        return;
    }
    if (now >= progress_deadline(work)) {
        stop_work(attempt, work, FailureClass::kHung, describe_standstill(attempt, work, now), settings_.stop_grace_s,
                  now);
        return;
    }
    if (work.job && jobs_[*work.job].timeout_s > 0 && now >= work.started + jobs_[*work.job].timeout_s) {
        stop_work(attempt, work, FailureClass::kHung,
                  fmt::format("longer than resources.timeout_s = {} s", jobs_[*work.job].timeout_s),
                  settings_.stop_grace_s, now);
        return;
    }
    if (now < work.expected_end) return;
    work.expected_end = now + std::max(1.0, kOverdue * (now - work.started));
    for (const WorkerIndex member : work.gang) {
        if (cluster_.worker(member).attempt != attempt) continue;
        cluster_.expect_end(member, work.expected_end);
        lose_reserved(cluster_.worker(member).node);
    }
}

std::string Scheduler::describe_standstill(AttemptId attempt, const Work& work, double now) const {
    const double still_s = now - work.last_progress;
    const std::string& phase = phases_[work.phase].name;
    const std::string where = phase.empty() ? "while starting" : "in phase " + phase;
    if (work.gang.size() == 1) return fmt::format("alive, but no progress {} for {:.0f} s", where, still_s);
    for (std::size_t rank = 0; rank < work.gang.size(); ++rank) {
        const Worker& worker = cluster_.worker(work.gang[rank]);
        if (worker.attempt == attempt && now - worker.last_beat > kSilent_s)
            return fmt::format(
                "no progress {} for {:.0f} s: worker {} of {} gives no sign of life since {:.0f} s, the "
                "others wait for it",
                where, still_s, rank, work.gang.size(), now - worker.last_beat);
    }
    return fmt::format("collective stuck: all {} workers alive, but no progress {} for {:.0f} s", work.gang.size(),
                       where, still_s);
}

}  // namespace leadsweep

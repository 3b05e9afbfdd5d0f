#include "tests/simulation/simulation.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <queue>
#include <random>
#include <unordered_map>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "orchestrator/schedule/scheduler.hpp"

namespace leadsweep {
namespace {

constexpr double kForEver = 1e18;
constexpr double kTick_s = 10;
constexpr double kRestart_s = 5;
constexpr double kStop_s = 1;
constexpr double kNodeBack_s = 600;
constexpr double kStraggling = 5;

double wall_now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double resident_bytes() {
    std::ifstream file("/proc/self/statm");
    double size = 0;
    double resident = 0;
    file >> size >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

SchedulerSettings scheduling() {
    SchedulerSettings settings;
    settings.beat_timeout_s = settings.phase_timeout_s = kForEver;  // simulated workers send no beats
    settings.breaker_limit = 0;
    return settings;
}

enum class EventKind { kEnds, kCrashes, kStops, kWorkerBack, kNodeLost, kNodeBack };

struct Event {
    double at;
    EventKind kind;
    std::uint64_t attempt = 0;
    std::size_t device = 0;  ///< node * devices_per_node + device; of a node: its first
    bool operator>(const Event& other) const { return at > other.at; }
};

class Simulation {
public:
    explicit Simulation(const SimulationSettings& settings)
        : settings_(settings), random_(settings.seed), devices_(device_count()) {}

    SimulationReport run() {
        const double started = wall_now_s();
        make_jobs();
        for (std::size_t device = 0; device < devices_.size(); ++device) bring_up(device);
        scheduler_->on_capacity_known(0);
        decide();
        for (int i = 0; i < settings_.node_losses; ++i) {
            const double at = std::uniform_real_distribution(0.0, report_.bound_s)(random_);
            const auto node =
                std::uniform_int_distribution<std::size_t>(0, static_cast<std::size_t>(settings_.nodes) - 1)(random_);
            events_.push({at, EventKind::kNodeLost, 0, node * per_node()});
        }
        while (!scheduler_->is_done() && !events_.empty()) step();
        finish(started);
        return report_;
    }

private:
    struct Device {
        WorkerId worker;  ///< 0: none
        std::uint64_t attempt = 0;
        double ends_at = 0;
    };
    struct Running {
        JobIndex job;
        double started;
        std::vector<std::size_t> devices;
    };

    std::size_t per_node() const { return static_cast<std::size_t>(settings_.devices_per_node); }
    std::size_t device_count() const { return static_cast<std::size_t>(settings_.nodes) * per_node(); }

    void make_jobs() {
        std::vector<double> weights;
        std::vector<int> sizes;
        for (const auto& [devices, weight] : settings_.mix) {
            sizes.push_back(devices);
            weights.push_back(weight);
        }
        std::discrete_distribution<std::size_t> size(weights.begin(), weights.end());
        std::lognormal_distribution<double> length(std::log(settings_.median_s), settings_.sigma);
        std::normal_distribution<double> error(0, settings_.noise > 0 ? settings_.noise : 1);
        std::uniform_real_distribution<double> chance(0, 1);
        durations_.reserve(settings_.jobs);
        ended_.resize(settings_.jobs, 0);
        std::vector<ScheduledJob> jobs(settings_.jobs);
        double work = 0;
        double longest = 0;
        for (ScheduledJob& job : jobs) {
            const double nominal = length(random_);
            const double actual = nominal * (chance(random_) < settings_.stragglers ? kStraggling : 1);
            job.devices = sizes[size(random_)];
            job.max_attempts = 100;
            if (settings_.are_lengths_known) {
                job.expected_s = nominal * (settings_.noise > 0 ? std::exp(error(random_)) : 1);
                job.upper_s = job.expected_s * std::exp(2 * settings_.noise);
            }
            durations_.push_back(actual);
            work += actual * job.devices;
            longest = std::max(longest, actual);
        }
        report_.bound_s = std::max(work / static_cast<double>(devices_.size()), longest);
        const double before = resident_bytes() - static_cast<double>(jobs.size() * sizeof(ScheduledJob));
        scheduler_.emplace(std::move(jobs), std::vector<std::int64_t>{0}, scheduling(),
                           [this] { return AttemptId{++last_attempt_}; });
        report_.bytes_per_job = (resident_bytes() - before) / static_cast<double>(settings_.jobs);
    }

    /// Measures what the scheduler takes for one fact.
    template <class Call>
    void tell(Call&& call) {
        const double before = wall_now_s();
        call(*scheduler_);
        spent_s_ += wall_now_s() - before;
    }

    void bring_up(std::size_t device) {
        const auto node = static_cast<std::uint32_t>(device / per_node());
        const WorkerId id{(std::uint64_t{node} << 32U) + ++last_worker_};
        devices_[device] = {id, 0, 0};
        by_worker_[id] = device;
        tell([&](Scheduler& s) {
            s.on_worker_ready(id, node, fmt::format("n{:05}", node), fmt::format("gpu-{}", device % per_node()), now_);
        });
    }

    /// All that happens at one moment, then the scheduler's decisions.
    void step() {
        const double at = events_.top().at;
        while (next_tick_ < at) {
            now_ = next_tick_;
            next_tick_ += kTick_s;
            tell([&](Scheduler& s) { s.on_tick(now_); });
            decide();
        }
        now_ = at;
        while (!events_.empty() && events_.top().at == at) {
            const Event event = events_.top();
            events_.pop();
            happen(event);
        }
        decide();
    }

    void happen(const Event& event) {
        Device& device = devices_[event.device];
        switch (event.kind) {
            case EventKind::kEnds:
            case EventKind::kStops:
                if (device.attempt != event.attempt || !device.worker) return;
                vacate(event.device);
                tell([&](Scheduler& s) {
                    if (event.kind == EventKind::kEnds)
                        s.on_finished(device.worker, {event.attempt}, now_);
                    else
                        s.on_failed(device.worker, {event.attempt}, FailureClass::kInterrupted, "stopped", now_);
                });
                return;
            case EventKind::kCrashes:
                if (device.attempt != event.attempt || !device.worker) return;
                lose_worker(event.device, fmt::format("crash of attempt {}", event.attempt));
                return;
            case EventKind::kWorkerBack:
                if (!device.worker && node_is_up(event.device)) bring_up(event.device);
                return;
            case EventKind::kNodeLost:
                lose_node(event.device);
                return;
            case EventKind::kNodeBack:
                lost_nodes_.erase(event.device / per_node());
                for (std::size_t i = 0; i < per_node(); ++i)
                    if (!devices_[event.device + i].worker) bring_up(event.device + i);
        }
    }

    bool node_is_up(std::size_t device) const { return !lost_nodes_.contains(device / per_node()); }

    void vacate(std::size_t device) {
        const auto running = running_.find(devices_[device].attempt);
        if (running != running_.end()) busy_s_ += now_ - running->second.started;
        devices_[device].attempt = 0;
    }

    void lose_worker(std::size_t device, const std::string& why) {
        const WorkerId id = devices_[device].worker;
        vacate(device);
        devices_[device] = {};
        by_worker_.erase(id);
        events_.push({now_ + kRestart_s, EventKind::kWorkerBack, 0, device});
        tell([&](Scheduler& s) { s.on_worker_lost(id, FailureClass::kCrashed, why, now_); });
    }

    void lose_node(std::size_t first) {
        const auto node = static_cast<std::uint32_t>(first / per_node());
        if (!lost_nodes_.insert(node).second) return;
        for (std::size_t device = first; device < first + per_node(); ++device) {
            vacate(device);
            by_worker_.erase(devices_[device].worker);
            devices_[device] = {};
        }
        events_.push({now_ + kNodeBack_s, EventKind::kNodeBack, 0, first});
        tell([&](Scheduler& s) { s.on_supervisor_lost(node, "node lost", now_); });
    }

    // ---- decisions --------------------------------------------------------------------------------------------------

    void decide() {
        std::vector<Action> actions;
        tell([&](Scheduler& s) { actions = s.take_actions(); });
        const std::size_t before = report_.decisions;
        for (const Action& action : actions) {
            if (const auto* start = std::get_if<StartAttempt>(&action)) carry_out(*start);
            if (const auto* ended = std::get_if<AttemptEnded>(&action)) carry_out(*ended);
            if (const auto* stop = std::get_if<StopAttempt>(&action))
                for (const WorkerId worker : stop->workers)
                    if (by_worker_.contains(worker))  // it may have been lost in the same moment
                        events_.push({now_ + kStop_s, EventKind::kStops, stop->attempt.value, by_worker_.at(worker)});
            if (const auto* kill = std::get_if<KillWorker>(&action)) {
                const auto device = by_worker_.find(kill->worker);
                if (device != by_worker_.end()) lose_worker(device->second, kill->why);
            }
        }
        const std::size_t made = report_.decisions - before;
        if (made > 0) samples_us_.push_back(static_cast<float>(spent_s_ * 1e6 / static_cast<double>(made)));
        total_s_ += std::exchange(spent_s_, 0);
        note_reservation();
    }

    void carry_out(const StartAttempt& action) {
        ++report_.decisions;
        const double seconds = durations_[action.job];
        const bool crashes = std::uniform_real_distribution(0.0, 1.0)(random_) < settings_.failures;
        const double until = crashes ? std::uniform_real_distribution(0.0, seconds)(random_) : seconds;
        Running running{action.job, now_, {}};
        for (const WorkerId worker : action.gang) {
            const std::size_t device = by_worker_.at(worker);
            if (devices_[device].attempt != 0) ++report_.overlaps;
            devices_[device].attempt = action.attempt.value;
            devices_[device].ends_at = now_ + seconds;
            running.devices.push_back(device);
            if (!crashes || worker == action.gang.front())
                events_.push(
                    {now_ + until, crashes ? EventKind::kCrashes : EventKind::kEnds, action.attempt.value, device});
        }
        running_.emplace(action.attempt.value, std::move(running));
        const auto promise = promises_.find(action.job);
        if (promise == promises_.end()) return;
        if (now_ > promise->second + 1e-6) ++report_.gangs_delayed;
        promises_.erase(promise);
    }

    void carry_out(const AttemptEnded& action) {
        running_.erase(action.attempt.value);
        if (!is_terminal(action.job_state)) return;
        if (++ended_[action.job] > 1) ++report_.ended_twice;
        ++(action.job_state == JobState::kFinished ? report_.finished : report_.failed);
        if (action.job_state == JobState::kFinished) report_.makespan_s = now_;
    }

    /// When a gang comes to the head of the queue: until when it must have started.
    void note_reservation() {
        const auto& reservation = scheduler_->reservation();
        if (!reservation || reservation->shadow >= kUnknownTime || reservation->job == last_head_) return;
        last_head_ = reservation->job;
        ++report_.gangs_held;
        double promise = reservation->shadow;
        if (settings_.checks_gangs) promise = std::min(promise, earliest_start(scheduler_->job(last_head_).devices));
        promises_.emplace(last_head_, promise);
    }

    /// From the durations as they are, not as the scheduler sees them.
    double earliest_start(int devices) const {
        double earliest = kForEver;
        std::vector<double> ends(per_node());
        for (std::size_t first = 0; first < devices_.size(); first += per_node()) {
            for (std::size_t i = 0; i < per_node(); ++i)
                ends[i] = devices_[first + i].attempt == 0 ? now_ : devices_[first + i].ends_at;
            std::sort(ends.begin(), ends.end());
            if (static_cast<std::size_t>(devices) <= ends.size())
                earliest = std::min(earliest, ends[static_cast<std::size_t>(devices) - 1]);
        }
        return earliest;
    }

    void finish(double started) {
        report_.utilisation = busy_s_ / (report_.makespan_s * static_cast<double>(devices_.size()));
        report_.mean_decision_us = total_s_ * 1e6 / static_cast<double>(std::max<std::size_t>(1, report_.decisions));
        if (!samples_us_.empty()) {
            const auto p99 = samples_us_.begin() + static_cast<std::ptrdiff_t>(samples_us_.size() * 99 / 100);
            std::nth_element(samples_us_.begin(), p99, samples_us_.end());
            report_.p99_decision_us = *p99;
        }
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        report_.peak_rss_bytes = static_cast<double>(usage.ru_maxrss) * 1024;
        report_.wall_s = wall_now_s() - started;
    }

    SimulationSettings settings_;
    std::mt19937_64 random_;
    std::vector<double> durations_;
    std::vector<std::uint8_t> ended_;
    std::optional<Scheduler> scheduler_;
    std::vector<Device> devices_;
    std::unordered_map<WorkerId, std::size_t> by_worker_;
    std::unordered_map<std::uint64_t, Running> running_;
    std::unordered_map<JobIndex, double> promises_;
    std::set<std::size_t> lost_nodes_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::vector<float> samples_us_;
    SimulationReport report_;
    JobIndex last_head_ = static_cast<JobIndex>(-1);
    std::uint64_t last_attempt_ = 0;
    std::uint64_t last_worker_ = 0;
    double now_ = 0;
    double next_tick_ = kTick_s;
    double spent_s_ = 0;
    double total_s_ = 0;
    double busy_s_ = 0;
};

}  // namespace

SimulationReport simulate(const SimulationSettings& settings) {
    return Simulation(settings).run();
}

}  // namespace leadsweep

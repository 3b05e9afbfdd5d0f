// Random clusters, jobs and accidents: whatever happens, no rule of placement is broken and every run comes to its end.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/orchestrator/schedule/rig.hpp"

using namespace leadsweep;

namespace {

class Chaos {
public:
    explicit Chaos(std::uint32_t seed) : random_(seed), rig_(make_jobs(), {0, 2, 5}, settings()) {
        nodes_ = 1 + roll(4);
        for (std::uint32_t rank = 1; rank <= nodes_; ++rank) devices_[rank] = 1 + roll(4);
        for (std::uint32_t rank = 1; rank <= nodes_; ++rank) bring_up(rank);
        rig_.scheduler.on_capacity_known(now_);
    }

    /// Accidents for a while, then none until all is over. False where it is not over in time.
    bool run() {
        for (int step = 0; step < 400; ++step) {
            accident();
            advance();
        }
        for (std::uint32_t rank = 1; rank <= nodes_; ++rank)
            if (!is_up_.contains(rank)) bring_up(rank);
        for (int step = 0; step < 4000 && !rig_.scheduler.is_done(); ++step) {
            finish_any();
            advance();
        }
        return rig_.scheduler.is_done();
    }

    /// Jobs that wait at the end although the cluster could hold them.
    std::size_t count_left_over() const {
        std::uint32_t largest = 0;
        std::uint32_t all = 0;
        for (const auto& [rank, devices] : devices_) {
            largest = std::max(largest, devices);
            all += devices;
        }
        std::size_t left = 0;
        for (JobIndex job = 0; job < jobs_.size(); ++job)
            if (rig_.scheduler.state(job) == JobState::kWaiting &&
                static_cast<std::uint32_t>(jobs_[job].devices) <= (jobs_[job].across_nodes ? all : largest))
                ++left;
        return left;
    }

    const std::string& broken_rule() const { return broken_rule_; }
    const Scheduler& scheduler() const { return rig_.scheduler; }

private:
    struct Member {
        WorkerId worker;
        bool is_told_to_stop = false;
    };
    struct Running {
        std::optional<JobIndex> job;
        PackIndex pack = 0;
        std::vector<Member> members;
    };
    struct Place {
        std::uint32_t rank;
        int device;
        std::uint64_t attempt = 0;
    };

    std::uint32_t roll(std::uint32_t sides) { return static_cast<std::uint32_t>(random_()) % sides; }

    static SchedulerSettings settings() {
        SchedulerSettings made;
        made.breaker_limit = 0;
        made.prepare_attempts = 1000000;
        made.beat_timeout_s = 1e9;
        made.phase_timeout_s = 60;
        made.quarantine_s = 50;
        return made;
    }

    std::vector<ScheduledJob> make_jobs() {
        std::vector<ScheduledJob> jobs(40 + roll(40));
        for (ScheduledJob& job : jobs) {
            job.pack = roll(3);
            job.devices = roll(3) > 0 ? 1 : 1 + static_cast<int>(roll(5));
            job.priority = roll(2);
            job.needs_fresh_worker = roll(8) == 0;
            job.across_nodes = roll(2) == 0;
            job.slots_per_device = 1 + static_cast<int>(roll(kSlots));
            job.expected_s = roll(2) == 0 ? 0 : 1 + roll(100);
        }
        jobs_ = jobs;
        return jobs;
    }

    void bring_up(std::uint32_t rank) {
        is_up_.insert(rank);
        for (std::uint32_t device = 0; device < devices_[rank]; ++device)
            for (std::uint32_t slot = 0; slot < kSlots; ++slot) bring_up_worker(rank, static_cast<int>(device));
    }

    void bring_up_worker(std::uint32_t rank, int device) {
        const int id = ++last_worker_;
        rig_.worker(id, device, "n" + std::to_string(rank), rank, now_);
        places_[SchedulerRig::id_of(id, rank)] = {rank, device};
    }

    void lose_worker(WorkerId id, FailureClass failure) {
        const Place place = places_.at(id);
        forget(id);
        rig_.scheduler.on_worker_lost(id, failure, "lost", now_);
        if (is_up_.contains(place.rank)) bring_up_worker(place.rank, place.device);
    }

    /// The worker is no longer part of its attempt.
    void leave(WorkerId id) {
        Place& place = places_.at(id);
        const auto running = running_.find(place.attempt);
        if (running != running_.end()) {
            std::erase_if(running->second.members, [&](const Member& member) { return member.worker == id; });
            if (running->second.members.empty()) running_.erase(running);
        }
        place.attempt = 0;
    }
    void forget(WorkerId id) {
        leave(id);
        places_.erase(id);
    }

    WorkerId any_worker() {
        return std::next(places_.begin(), roll(static_cast<std::uint32_t>(places_.size())))->first;
    }

    void accident() {
        const std::uint32_t kind = roll(20);
        if (kind < 9) return finish_any();
        if (kind == 9 && !places_.empty()) return lose_worker(any_worker(), FailureClass::kCrashed);
        if (kind == 10 && nodes_ > 1) {
            const std::uint32_t rank = 1 + roll(nodes_);
            if (is_up_.erase(rank) == 0) return bring_up(rank);
            std::vector<WorkerId> lost;
            for (const auto& [id, place] : places_)
                if (place.rank == rank) lost.push_back(id);
            for (const WorkerId id : lost) forget(id);
            return rig_.scheduler.on_supervisor_lost(rank, "gone", now_);
        }
        if (kind == 11) rig_.scheduler.cancel(roll(static_cast<std::uint32_t>(jobs_.size())), now_);
        if (kind == 12) rig_.scheduler.retry(roll(static_cast<std::uint32_t>(jobs_.size())), now_);
        if (kind < 13 || running_.empty()) return;
        const auto attempt = std::next(running_.begin(), roll(static_cast<std::uint32_t>(running_.size())));
        const WorkerId id = attempt->second.members.front().worker;
        const AttemptId number{attempt->first};
        leave(id);
        static constexpr FailureClass kFailures[]{FailureClass::kOomHost, FailureClass::kOomDevice,
                                                  FailureClass::kCrashed, FailureClass::kHung};
        if (kind < 17)
            rig_.scheduler.on_failed(id, number, kFailures[kind - 13], "accident", now_);
        else
            rig_.scheduler.on_failed(id, number, FailureClass::kInterrupted, "accident", now_);
    }

    /// All members of one attempt do what is left to them.
    void finish_any() {
        if (running_.empty()) return;
        const auto attempt = std::next(running_.begin(), roll(static_cast<std::uint32_t>(running_.size())));
        const AttemptId number{attempt->first};
        const Running running = attempt->second;
        for (const Member& member : running.members) {
            leave(member.worker);
            if (member.is_told_to_stop)
                rig_.scheduler.on_failed(member.worker, number, FailureClass::kInterrupted, "stopped", now_);
            else if (running.job)
                rig_.scheduler.on_finished(member.worker, number, now_);
            else
                rig_.scheduler.on_prepared(member.worker, number, now_);
        }
    }

    void advance() {
        now_ += 1 + roll(3);
        if (roll(3) == 0) rig_.scheduler.on_tick(now_);
        for (const Action& action : rig_.scheduler.take_actions()) {
            if (const auto* start = std::get_if<StartAttempt>(&action)) begin(*start);
            if (const auto* shard = std::get_if<StartPrepare>(&action)) {
                running_[shard->attempt.value] = {std::nullopt, shard->pack, {{shard->worker}}};
                occupy(shard->worker, shard->attempt);
            }
            if (const auto* stop = std::get_if<StopAttempt>(&action)) tell_to_stop(*stop);
            if (const auto* kill = std::get_if<KillWorker>(&action))
                if (places_.contains(kill->worker)) lose_worker(kill->worker, FailureClass::kKilled);
        }
    }

    void tell_to_stop(const StopAttempt& stop) {
        const auto running = running_.find(stop.attempt.value);
        if (running == running_.end()) return;
        for (Member& member : running->second.members) member.is_told_to_stop = true;
    }

    void occupy(WorkerId id, AttemptId attempt) {
        if (!places_.contains(id)) return;  // lost in the same moment
        if (places_.at(id).attempt != 0) broken_rule_ = "a busy worker got an attempt";
        places_.at(id).attempt = attempt.value;
    }

    void begin(const StartAttempt& start) {
        const ScheduledJob& job = jobs_[start.job];
        Running running{start.job, job.pack, {}};
        std::set<std::pair<std::uint32_t, int>> devices;
        std::set<std::uint32_t> ranks;
        for (const WorkerId id : start.gang) {
            const Place& place = places_.at(id);
            devices.insert({place.rank, place.device});
            ranks.insert(place.rank);
            running.members.push_back({id});
            occupy(id, start.attempt);
        }
        running_[start.attempt.value] = running;
        if (start.gang.size() != static_cast<std::size_t>(job.devices)) broken_rule_ = "a gang is incomplete";
        if (devices.size() != start.gang.size()) broken_rule_ = "a gang has a device twice";
        if (ranks.size() > 1 && !job.across_nodes) broken_rule_ = "a gang spans nodes and may not";
        for (const auto& device : devices) check_sharing(device);
    }

    void check_sharing(const std::pair<std::uint32_t, int>& device) {
        int jobs = 0;
        int allowed = static_cast<int>(kSlots);
        for (const auto& [id, place] : places_) {
            const auto running = running_.find(place.attempt);
            if (std::pair(place.rank, place.device) != device || running == running_.end() || !running->second.job)
                continue;
            const ScheduledJob& job = jobs_[*running->second.job];
            ++jobs;
            allowed = std::min(allowed, job.devices > 1 ? 1 : job.slots_per_device);
        }
        if (jobs > allowed) broken_rule_ = "a device has more jobs than one of them allows";
    }

    static constexpr std::uint32_t kSlots = 2;
    std::mt19937 random_;
    std::vector<ScheduledJob> jobs_;
    SchedulerRig rig_;
    std::uint32_t nodes_ = 0;
    std::map<std::uint32_t, std::uint32_t> devices_;  ///< rank -> its devices
    std::set<std::uint32_t> is_up_;
    std::map<WorkerId, Place> places_;
    std::map<std::uint64_t, Running> running_;
    int last_worker_ = 0;
    double now_ = 0;
    std::string broken_rule_;
};

}  // namespace

TEST_CASE("Whatever happens, rules of placement are kept and a run comes to its end", "[scheduler]") {
    for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
        Chaos chaos(seed);
        CAPTURE(seed);
        const bool has_ended = chaos.run();
        CHECK(chaos.broken_rule().empty());
        CHECK(has_ended);
        CHECK(chaos.scheduler().count(JobState::kRunning) == 0);
        CHECK(chaos.count_left_over() == 0);
    }
}

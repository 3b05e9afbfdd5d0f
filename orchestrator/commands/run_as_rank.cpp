#include "orchestrator/commands/run_as_rank.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "orchestrator/commands/prepared_run.hpp"
#include "orchestrator/commands/start_checks.hpp"
#include "orchestrator/commands/survey.hpp"
#include "orchestrator/launch/interface.hpp"
#include "orchestrator/launch/mpirun.hpp"
#include "orchestrator/launch/start_watch.hpp"
#include "orchestrator/launch/supervisor.hpp"
#include "orchestrator/slurm/controller.hpp"
#include "orchestrator/transport/mpi_world.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"

namespace leadsweep {
namespace {

/// Under plain mpirun no rank is dead while another lives: a lost one was stopped or cut off, and may be heard again.
constexpr double kFarewell_s = 10;

/// The supervisor of this rank on a thread of its own.
class SupervisorThread {
public:
    SupervisorThread(SupervisorSettings settings, Spawner& spawner, SupervisorMail& mail)
        : supervisor_(std::move(settings), spawner, mail), thread_([this] {
              supervisor_.run();
              is_over_ = true;
          }) {}
    ~SupervisorThread() { thread_.join(); }  // ends when told to, or when it hears nothing
    SupervisorThread(const SupervisorThread&) = delete;
    SupervisorThread& operator=(const SupervisorThread&) = delete;
    bool is_over() const { return is_over_; }
    /// Once it is over.
    bool has_lost_coordinator() const { return supervisor_.has_lost_coordinator(); }

private:
    Supervisor supervisor_;
    std::atomic<bool> is_over_ = false;
    std::thread thread_;
};

/// Devices of this rank: those of its host, shared with the other ranks there. Collective under MPI: a rank that finds
/// no devices takes part all the same, and says why.
std::vector<Device> own_devices(const RunOptions& options, const Places& places, Spawner& spawner, MpiWorld* world,
                                const std::string& checks) {
    std::vector<Device> devices;
    std::exception_ptr problem;
    try {
        if (!options.interface.empty()) (void)find_interface(options.interface);
        if (world && world->rank() > 0) check_start(checks);
        require_writable_folder(places.scratch);
        devices = discover_devices(spawner, places.worker, options.threads, places.scratch);
        if (const auto words = check_promised_gpus(devices); !words.empty())
            log::warning("rank {} on {}: {}", world ? world->rank() : 0, host_name(), words);
    } catch (const Error& error) {
        devices.clear();
        problem = std::current_exception();
        if (world && world->rank() > 0)
            log::error("rank {} on {} takes no part: {}", world->rank(), host_name(), error.what());
    }
    if (world) {
        std::vector<std::string> visible;
        for (const Device& device : devices) visible.push_back(device.uuid);
        const auto own = world->share_devices(host_name(), visible);
        std::erase_if(
            devices, [&](const Device& device) { return std::find(own.begin(), own.end(), device.uuid) == own.end(); });
    }
    if (problem && (!world || world->rank() == 0)) std::rethrow_exception(problem);
    if (options.workers > 0 && devices.size() > static_cast<std::size_t>(options.workers))
        devices.resize(static_cast<std::size_t>(options.workers));
    return devices;
}

/// Packets that are lost twice take seconds to arrive: between nodes silence means less than within one.
double rank_timeout_s(const RunOptions& options, const MpiWorld* world) {
    constexpr double kWithinNode_s = 2.5;
    constexpr double kBetweenNodes_s = 10;
    return options.supervisor_timeout_s.value_or(world && world->node_count() > 1 ? kBetweenNodes_s : kWithinNode_s);
}

/// Where workers listen for the others of their gang: on the chosen interface; on the loopback one if there is no other
/// node.
std::map<std::string, std::string> network_of_gangs(const RunOptions& options, const MpiWorld* world) {
    if (!options.interface.empty()) {
        const NetworkInterface chosen = find_interface(options.interface);
        return {{"LEADSWEEP_HOST", chosen.address}, {"NCCL_SOCKET_IFNAME", "=" + chosen.name}};
    }
    if (std::getenv("LEADSWEEP_HOST") || (world && world->node_count() > 1)) return {};
    return {{"LEADSWEEP_HOST", "127.0.0.1"}};
}

SupervisorSettings supervisor_settings(const RunOptions& options, const Places& places, std::vector<Device> devices,
                                       const MpiWorld* world) {
    SupervisorSettings settings;
    settings.worker_program = places.worker;
    settings.devices = std::move(devices);
    settings.threads = options.threads;
    settings.node = host_name();
    settings.log_folder = places.scratch + "/logs";
    settings.rank = world ? world->rank() : 0;
    settings.coordinator_timeout_s = std::max(10.0, rank_timeout_s(options, world) + 5);
    settings.worker_environment = network_of_gangs(options, world);
    settings.chaos_seed = options.chaos_seed;
    return settings;
}

void say_what_is_planned(const Plan& plan, const PreparedRun& run) {
    for (const auto& note : plan.notes) log::info("{}", note);
    log::info("{}: {} jobs in {} groups: {} to do, {} done before{}{}", plan.sweep_name, plan.jobs.size(),
              plan.groups.size(), run.work.jobs.size(), run.done_before,
              run.in_other_shards ? fmt::format(", {} in other shards", run.in_other_shards) : "",
              run.failed_before ? fmt::format(", {} failed before or were cancelled (--retry all tries them again)",
                                              run.failed_before)
                                : "");
}

/// What there is before the first job starts. Later members refer to earlier ones.
struct ReadySweep {
    std::optional<Plan> plan;
    std::optional<ResultStore> store;
    std::optional<Interruption> leaving;  // to the end: one more Ctrl-C must not kill what is about to end
    PreparedRun run;
    std::size_t to_do = 0;
    std::optional<Coordinator> coordinator;  // where there is something to do
};

CoordinatorSettings coordinator_settings(const RunOptions& options, const Places& places, const MpiWorld* world) {
    CoordinatorSettings settings;
    settings.work_folder = places.work;
    settings.scheduling = options.scheduling;
    settings.supervisor_timeout_s = rank_timeout_s(options, world);
    if (!std::getenv(kExitFileVariable)) settings.farewell_s = kFarewell_s;
    settings.time_left_s = options.time_left_s;
    return settings;
}

void make_ready(ReadySweep& ready, const RunOptions& options, const SweepSpec& sweep, const Places& places,
                Spawner& spawner, const MpiWorld* world, Transport& transport, ProgressView& view,
                const std::string& device_kind) {
    const Plan& plan = ready.plan.emplace(make_plan(sweep, catalogue_provider(places, spawner)));
    const DurationModel durations = learn_durations(places.db);
    ResultStore& store = ready.store.emplace(ResultStore::open(places.db));
    ready.run = prepare_run(plan, read_file(options.sweep), places, store,
                            {options.retry.begin(), options.retry.end()}, options.shard);
    expect_durations(plan, durations, device_kind, ready.run.work.jobs);
    say_what_is_planned(plan, ready.run);
    ready.to_do = ready.run.work.jobs.size();
    if (ready.to_do == 0) return;
    ready.leaving.emplace();
    ready.coordinator.emplace(plan, std::move(ready.run.work), coordinator_settings(options, places, world), store,
                              transport, view);
}

void send_to_others(Transport& transport, const ToSupervisor& message) {
    for (std::uint32_t rank = 1; rank < transport.size(); ++rank) transport.send(rank, message);
}

/// Planning may take minutes, during which the other ranks must hear that rank 0 lives. MPI is for the main thread.
void do_beside_beats(Transport& transport, const std::function<void()>& work) {
    constexpr std::chrono::milliseconds kInterval{200};
    if (transport.size() == 1) return work();
    auto done = std::async(std::launch::async, work);
    do {
        send_to_others(transport, CoordinatorBeat{});
        transport.flush();
    } while (done.wait_for(kInterval) != std::future_status::ready);
    done.get();
}

/// Rank 0: plans, then coordinates. `start_supervisor` is called once there is something to do.
int coordinate(const RunOptions& options, const SweepSpec& sweep, const Places& places, Spawner& spawner,
               MpiWorld* world, SupervisorMail& mail, const std::string& device_kind,
               const std::function<std::unique_ptr<SupervisorThread>()>& start_supervisor) {
    const auto transport = world ? world->make_transport(mail) : std::make_unique<LoopbackTransport>(mail);
    const auto view = make_progress_view(options.is_quiet);
    ReadySweep ready;
    do_beside_beats(*transport, [&] {
        make_ready(ready, options, sweep, places, spawner, world, *transport, *view, device_kind);
    });
    const std::size_t to_do = ready.to_do;
    int code = kExitDone;
    if (to_do == 0) {
        send_to_others(*transport, StopSupervisor{});
        (void)transport->receive(std::chrono::milliseconds(1));
    } else {
        const auto supervisor = start_supervisor();
        try {
            code = ready.coordinator->run();
        } catch (...) {
            mail.to_supervisor.push(StopSupervisor{true});
            throw;
        }
    }
    if (options.chaos_seed && to_do > 0)
        log::info(
            "chaos, seed {}: {}", *options.chaos_seed,
            code == kExitDone ? fmt::format("all {} jobs completed regardless", to_do) : "not all jobs completed");
    if (ready.run.failed_before > 0 && code == kExitDone) code = kExitSomeFailed;
    log::info("{}: {}; see: leadsweep table --db {}", ready.plan->sweep_name,
              to_do == 0 ? "nothing to do" : (code == kExitDone ? "complete" : "not complete"), places.db);
    return code;
}

/// Ranks > 0: passes messages on until rank 0 says stop, or falls silent.
int serve_rank_zero(MpiWorld& world, SupervisorMail& mail,
                    const std::function<std::unique_ptr<SupervisorThread>()>& start_supervisor) {
    // Interruptions are rank 0's business; launchers tell all ranks.
    for (const int number : {SIGUSR1, SIGTERM, SIGINT}) std::signal(number, SIG_IGN);
    const auto supervisor = start_supervisor();
    try {
        world.relay(mail, [&] { return supervisor->is_over(); });
    } catch (...) {
        mail.to_supervisor.push(StopSupervisor{true});
        throw;
    }
    if (!supervisor->has_lost_coordinator()) return kExitDone;
    world.abandon();
    return kExitInterrupted;
}

}  // namespace

Places places_of(const RunOptions& options) {
    Places places = options.places;
    places.db = database_of_shard(places.db, options.shard);
    return resolve_places(places);
}

int run_as_rank(RunOptions options) {
    const Places places = places_of(options);
    if (is_rank_zero() && !options.time_left_s) {
        options.time_left_s = time_left_of_allocation();
        if (options.time_left_s)  // in a short allocation something must start, too
            options.scheduling.min_start_s = std::min(options.scheduling.min_start_s, *options.time_left_s / 4);
    }
    Spawner spawner;
    mark_rank_zero();
    std::unique_ptr<MpiWorld> world;
    choose_interface_for_mpi(options.interface);
    std::optional<StartWatch> watch;  // until the ranks have met
    if (is_under_mpi_launcher()) {
        watch.emplace();
        world = std::make_unique<MpiWorld>();
    }
    const std::uint32_t rank = world ? world->rank() : 0;
    if (world && world->size() > 1) log::set_up(fmt::format("rank {}", rank), log::Level::kInfo);
    std::exception_ptr problem;
    std::optional<SweepSpec> sweep;
    std::unique_ptr<StartChecks> checks;
    try {
        if (rank == 0) {
            sweep = load_sweep_file(options.sweep, options.set);
            checks = std::make_unique<StartChecks>(*sweep, places);
        }
    } catch (const Error&) {
        problem = std::current_exception();  // told below, when the other ranks can be told to stop
    }
    std::string words = checks ? checks->text() : "";
    if (world) words = world->broadcast(words);
    const auto devices = own_devices(options, places, spawner, world.get(), words);
    watch.reset();
    checks.reset();
    SupervisorMail mail;
    const auto start_supervisor = [&] {
        return std::make_unique<SupervisorThread>(supervisor_settings(options, places, devices, world.get()), spawner,
                                                  mail);
    };
    if (rank > 0) return serve_rank_zero(*world, mail, start_supervisor);
    mark_rank_zero_up();
    if (world && world->size() > 1 && !std::getenv(kExitFileVariable))
        log::warning(
            "under plain mpirun a dead rank ends all ranks; nothing is lost, and the same command goes on. "
            "`leadsweep run --ranks N` outlives it");
    try {
        if (problem) std::rethrow_exception(problem);
        return coordinate(options, *sweep, places, spawner, world.get(), mail,
                          devices.empty() ? "" : devices.front().kind, start_supervisor);
    } catch (...) {
        if (world) {
            const auto transport = world->make_transport(mail);
            send_to_others(*transport, StopSupervisor{true});
            for (int i = 0; i < 20; ++i) (void)transport->receive(std::chrono::milliseconds(10));
        }
        throw;
    }
}

}  // namespace leadsweep

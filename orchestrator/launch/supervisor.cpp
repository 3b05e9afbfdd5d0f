#include "orchestrator/launch/supervisor.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"
#include "shared/job/semantics.hpp"
#include "shared/protocol/codec.hpp"

namespace leadsweep {
namespace {

constexpr double kBeatInterval_s = 0.5;
constexpr double kStopGrace_s = 5;
constexpr double kMuteGrace_s = 0.5;  ///< a process that ends closes its pipes first: its exit says more

std::int64_t file_length(const std::string& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(size);
}

/// The last line that a worker wrote, which most often says what happened.
std::string last_line_of(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    stream.seekg(0, std::ios::end);
    const std::streamoff size = stream.tellg();
    constexpr std::streamoff kTail = 2000;
    stream.seekg(std::max<std::streamoff>(0, size - kTail));
    std::string line;
    std::string last;
    while (std::getline(stream, line))
        if (!trim(line).empty()) last = trim(line);
    return last;
}

/// Class and message of a worker that ended without being asked to.
std::pair<FailureClass, std::string> diagnose(const ChildExit& exit, const std::string& log_path) {
    const std::string words = last_line_of(log_path);
    const std::string said = words.empty() ? "" : fmt::format("; its last words: {}", words);
    if (exit.signal == SIGKILL)
        return {FailureClass::kKilled,
                fmt::format("worker killed by signal 9: by somebody, or by the kernel for want of memory{}", said)};
    if (exit.signal == SIGTERM) return {FailureClass::kKilled, fmt::format("worker killed by signal 15{}", said)};
    if (exit.signal != 0)
        return {FailureClass::kCrashed,
                fmt::format("worker crashed with signal {} ({}){}", exit.signal, ::strsignal(exit.signal), said)};
    return {FailureClass::kCrashed, fmt::format("worker ended by itself with exit code {}{}", exit.code, said)};
}

}  // namespace

std::vector<Device> discover_devices(Spawner& spawner, const std::string& worker_program, int threads,
                                     const std::string& scratch_folder) {
    const std::string path = fmt::format("{}/devices.{}.json", scratch_folder, ::getpid());
    if (!std::filesystem::exists(worker_program))
        throw InputError(fmt::format(
            "{}: there is no worker program; build both programs (`./dev build`) and keep them in one folder, "
            "or name it with --worker PATH",
            worker_program));
    const ChildExit exit =
        spawner.run({{worker_program, "devices", "--threads", std::to_string(threads)}, {}, path, false});
    const std::string text = read_file(path);
    std::filesystem::remove(path);
    if (exit.signal != 0)
        throw InterruptedError(
            fmt::format("{} devices was ended by signal {}: start again", worker_program, exit.signal));
    if (exit.code != 0) throw InputError(fmt::format("{} devices failed: {}", worker_program, trim(text)));
    std::vector<Device> devices;
    try {
        for (const auto& entry : nlohmann::json::parse(text))
            devices.push_back(
                {entry.at("kind"), entry.at("uuid"), entry.at("name"), entry.at("cores"), entry.at("memory_bytes")});
    } catch (const nlohmann::json::exception& error) {
        throw InputError(fmt::format("{} devices printed no device list: {}", worker_program, error.what()));
    }
    return devices;
}

Supervisor::Supervisor(SupervisorSettings settings, Spawner& spawner, SupervisorMail& mail)
    : settings_(std::move(settings)), spawner_(spawner), mail_(mail), failed_starts_(settings_.devices.size(), 0) {
    if (settings_.chaos_seed) chaos_.emplace(*settings_.chaos_seed, settings_.rank);
}

void Supervisor::run() {
    ::pthread_setname_np(::pthread_self(), "supervisor");
    // A command to a worker that has just died must not end this program: its exit is told a moment later.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    try {
        serve();
    } catch (const std::exception& error) {
        mail_.from_supervisor.push(SupervisorFailed{error.what()});
        stop_all(true);
    }
}

void Supervisor::serve() {
    std::filesystem::create_directories(settings_.log_folder);
    register_anew(0);
    last_heard_s_ = clock_.now_s();
    double next_beat = 0;
    while (true) {
        clock_.turn();
        for (auto& message : mail_.to_supervisor.take()) {
            last_heard_s_ = clock_.now_s();
            if (!handle(message)) return;
        }
        const double now = clock_.now_s();
        if (now - last_heard_s_ > settings_.coordinator_timeout_s) {
            log::error("the coordinator is silent for {:.0f} s: ending the workers of rank {}", now - last_heard_s_,
                       settings_.rank);
            has_lost_coordinator_ = true;
            stop_all(true);
            return;
        }
        if (now >= next_beat) {
            mail_.from_supervisor.push(SupervisorBeat{});
            next_beat = now + kBeatInterval_s;
        }
        kill_mute_workers();
        do_chaos();
        poll_once(static_cast<int>(kBeatInterval_s * 500));
    }
}

/// The coordinator answers with StartWorkers.
void Supervisor::register_anew(std::uint32_t registration) {
    mail_.from_supervisor.push(
        SupervisorReady{settings_.node, ::getpid(), static_cast<std::int64_t>(settings_.devices.size()), registration});
}

void Supervisor::start_worker(std::size_t index) {
    const Device& device = settings_.devices[index];
    Worker worker;
    worker.id = {(std::uint64_t{settings_.rank} << 32U) + ++started_};
    worker.device = index;
    worker.log_path = fmt::format("{}/worker-{}-{}.log", settings_.log_folder, settings_.rank, started_);
    std::string cores;
    for (const int core : device.cores) cores += fmt::format("{}{}", cores.empty() ? "" : ",", core);
    auto environment = settings_.worker_environment;
    environment["OMP_NUM_THREADS"] = std::to_string(settings_.threads);
    worker.child = spawner_.spawn({{settings_.worker_program, "serve", "--device", device.uuid, "--cores", cores},
                                   std::move(environment),
                                   worker.log_path,
                                   true});
    workers_.emplace(worker.id, std::move(worker));
}

// ---- from the coordinator -------------------------------------------------------------------------------------------

/// False where the supervisor is to end.
bool Supervisor::handle(ToSupervisor& message) {
    if (const auto* stop = std::get_if<StopSupervisor>(&message)) {
        stop_all(stop->is_now);
        return false;
    }
    if (const auto* start = std::get_if<StartWorkers>(&message)) {
        for (std::int64_t slot = 0; slot < start->slots_per_device; ++slot)
            for (std::size_t device = 0; device < settings_.devices.size(); ++device) start_worker(device);
    } else if (auto* command = std::get_if<ToWorkerOf>(&message)) {
        const auto found = workers_.find(command->worker);
        if (found == workers_.end()) return true;
        if (chaos_ && std::holds_alternative<Assign>(command->message))
            chaos_->on_assigned(command->worker, clock_.now_s());
        found->second.outgoing += make_frame(encode(command->message));
        write_commands(found->second);
    } else if (const auto* replace = std::get_if<ReplaceWorker>(&message)) {
        const auto found = workers_.find(replace->worker);
        if (found != workers_.end()) kill(found->second, replace->why);
    } else if (const auto* reset = std::get_if<ResetSupervisor>(&message)) {
        log::warning("rank {} was taken for lost: its workers are started anew", settings_.rank);
        stop_all(true);
        is_stopping_ = false;
        register_anew(reset->registration);
    }
    return true;
}

void Supervisor::write_commands(Worker& worker) {
    while (!worker.outgoing.empty()) {
        const ssize_t written = ::write(worker.child.commands.get(), worker.outgoing.data(), worker.outgoing.size());
        if (written < 0) return;  // full, or the worker is gone: its exit says so
        worker.outgoing.erase(0, static_cast<std::size_t>(written));
    }
}

void Supervisor::do_chaos() {
    if (!chaos_) return;
    for (const ChaosAct& act : chaos_->take_due(clock_.now_s())) {
        const auto found = workers_.find(act.worker);
        if (found == workers_.end()) continue;
        found->second.is_killed_by_chaos = act.signal_number == SIGKILL;
        spawner_.signal(found->second.child.pid, act.signal_number);
    }
}

void Supervisor::end_chaos() {
    for (const WorkerId id : chaos_->stopped()) {
        const auto found = workers_.find(id);
        if (found != workers_.end()) spawner_.signal(found->second.child.pid, SIGCONT);
    }
    log::info("chaos, seed {}, rank {}: {} workers killed, {} stopped for a while", *settings_.chaos_seed,
              settings_.rank, chaos_->kills(), chaos_->stops());
}

void Supervisor::kill(Worker& worker, const std::string& why) {
    worker.why_killed = why;
    spawner_.signal(worker.child.pid, SIGKILL);
}

/// Nothing is ever heard again of a worker that closed its pipe of facts and lives on.
void Supervisor::kill_mute_workers() {
    for (auto& [id, worker] : workers_)
        if (worker.facts_ended_s && clock_.now_s() - *worker.facts_ended_s > kMuteGrace_s && worker.why_killed.empty())
            kill(worker, "it closed its pipe and lives on");
}

// ---- from the workers -----------------------------------------------------------------------------------------------

void Supervisor::poll_once(int timeout_ms) {
    std::vector<pollfd> polled{{mail_.to_supervisor.descriptor(), POLLIN, 0}, {spawner_.descriptor(), POLLIN, 0}};
    std::vector<WorkerId> order;
    for (const auto& [id, worker] : workers_) {
        order.push_back(id);
        if (worker.child.facts.is_open())
            polled.push_back({worker.child.facts.get(), POLLIN, 0});
        else
            polled.push_back({-1, 0, 0});
        polled.push_back({worker.outgoing.empty() ? -1 : worker.child.commands.get(), POLLOUT, 0});
    }
    int ready = 0;
    const auto poll_for = [&](int most_ms) { return ready = ::poll(polled.data(), polled.size(), most_ms); };
    wait_.wait([&] { return poll_for(0) != 0; }, [&] { poll_for(timeout_ms); });
    if (ready <= 0) return;
    for (std::size_t i = 0; i < order.size(); ++i) {
        Worker& worker = workers_.at(order[i]);
        if (polled[2 + 2 * i].revents != 0) read_facts(worker);
        if (polled[3 + 2 * i].revents != 0) write_commands(worker);
    }
    if (polled[1].revents != 0)
        for (const ChildExit& exit : spawner_.take_exits()) on_exit(exit);
}

void Supervisor::read_facts(Worker& worker) {
    std::array<char, 65536> buffer;  // not cleared: this runs for every fact
    while (worker.child.facts.is_open()) {
        const ssize_t size = ::read(worker.child.facts.get(), buffer.data(), buffer.size());
        if (size < 0) break;
        if (size == 0) {
            worker.child.facts.reset();
            worker.facts_ended_s = clock_.now_s();
            break;
        }
        worker.reader.feed({buffer.data(), static_cast<std::size_t>(size)});
        if (static_cast<std::size_t>(size) < buffer.size()) break;  // the pipe is empty
    }
    try {
        while (auto frame = worker.reader.next()) on_fact(worker, decode_from_worker(*frame));
    } catch (const ProtocolError& error) {
        kill(worker, fmt::format("it sent what is no message: {}", error.what()));
        worker.child.facts.reset();
    }
}

void Supervisor::on_fact(Worker& worker, FromWorker fact) {
    if (auto* hello = std::get_if<Hello>(&fact)) {
        if (hello->protocol != kProtocolVersion || hello->semantics != semantics::all())
            throw InputError(
                fmt::format("{} is of another version (protocol {}, build {}): install both programs from one "
                            "build",
                            settings_.worker_program, hello->protocol, hello->build));
        worker.has_greeted = true;
        failed_starts_[worker.device] = 0;
        if (chaos_) chaos_->on_started(worker.id, clock_.now_s());
        mail_.from_supervisor.push(WorkerReady{worker.id, std::move(*hello), worker.log_path});
        return;
    }
    const bool is_ending = std::holds_alternative<Finished>(fact) || std::holds_alternative<Failed>(fact);
    mail_.from_supervisor.push(FromWorkerOf{worker.id, std::move(fact), is_ending ? file_length(worker.log_path) : 0});
}

void Supervisor::on_exit(const ChildExit& exit) {
    const auto found = std::find_if(workers_.begin(), workers_.end(),
                                    [&](const auto& entry) { return entry.second.child.pid == exit.pid; });
    if (found == workers_.end()) return;
    Worker& worker = found->second;
    read_facts(worker);
    auto [failure, message] = diagnose(exit, worker.log_path);
    if (!worker.why_killed.empty()) {
        failure = FailureClass::kKilled;
        message = fmt::format("worker ended because {}", worker.why_killed);
    }
    if (worker.is_killed_by_chaos) {
        failure = FailureClass::kInterrupted;  // a rehearsal counts against no job
        message = "worker killed on purpose, by --chaos";
    }
    if (chaos_) chaos_->on_gone(worker.id);
    const std::size_t device = worker.device;
    const bool has_greeted = worker.has_greeted;
    if (has_greeted) mail_.from_supervisor.push(WorkerLost{worker.id, failure, message, file_length(worker.log_path)});
    workers_.erase(found);
    if (is_stopping_) return;
    if (!has_greeted && ++failed_starts_[device] >= settings_.start_attempts)
        throw InputError(fmt::format("{} cannot be started on device {}: {}", settings_.worker_program,
                                     settings_.devices[device].uuid, message));
    start_worker(device);
}

void Supervisor::stop_all(bool is_now) {
    is_stopping_ = true;
    if (chaos_) end_chaos();
    for (auto& [id, worker] : workers_) {
        if (is_now) {
            kill(worker, "the sweep ends");
            continue;
        }
        worker.outgoing += make_frame(encode(ToWorker{Shutdown{}}));
        write_commands(worker);
    }
    try {
        const double deadline = clock_.now_s() + kStopGrace_s;
        while (!workers_.empty() && clock_.now_s() < deadline) poll_once(100);
    } catch (const Error& error) {
        log::warning("ending the workers of rank {}: {}", settings_.rank, error.what());  // the spawner is gone
    }
    for (auto& [id, worker] : workers_) kill(worker, "it did not end in time");
    workers_.clear();
}

}  // namespace leadsweep

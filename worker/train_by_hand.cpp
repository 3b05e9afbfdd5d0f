#include "worker/train_by_hand.hpp"

#include <array>
#include <csignal>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "shared/core/descriptor.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/log.hpp"
#include "shared/job/attempt_files.hpp"
#include "shared/job/job_result.hpp"
#include "shared/protocol/codec.hpp"
#include "shared/protocol/framing.hpp"
#include "worker/devices.hpp"
#include "worker/job_file.hpp"
#include "worker/job_runner.hpp"
#include "worker/train/process.hpp"

namespace leadsweep {
namespace {

struct Pipe {
    UniqueDescriptor out;
    UniqueDescriptor in;

    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw FileError("pipe", errno, "make");
        out = UniqueDescriptor(ends[0]);
        in = UniqueDescriptor(ends[1]);
    }
};

/// Where the handler of Ctrl-C writes its command: set once, before it is installed.
int stop_descriptor = -1;
std::string stop_frame;

void on_interrupt(int) {
    // The second time ends the process, as ever.
    std::signal(SIGINT, SIG_DFL);
    [[maybe_unused]] const auto written = ::write(stop_descriptor, stop_frame.data(), stop_frame.size());
}

/// What the runner tells, as lines for a person; the exit code is that of the last fact.
class Printer {
public:
    explicit Printer(int descriptor) : thread_([this, descriptor] { read(descriptor); }) {}
    ~Printer() {
        if (thread_.joinable()) thread_.join();
    }
    Printer(const Printer&) = delete;
    Printer& operator=(const Printer&) = delete;
    /// Waits for the last fact: that the job finished or failed.
    int exit_code() {
        thread_.join();
        return exit_code_;
    }

private:
    void read(int descriptor) {
        FrameReader reader;
        std::array<char, 65536> buffer{};
        while (!is_over_) {
            const ssize_t size = ::read(descriptor, buffer.data(), buffer.size());
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) return;
            reader.feed({buffer.data(), static_cast<std::size_t>(size)});
            while (const auto frame = reader.next())
                std::visit([this](const auto& fact) { print(fact); }, decode_from_worker(*frame));
        }
    }
    void print(const Progress& progress) {
        const auto now = std::chrono::steady_clock::now();
        const bool is_new = progress.phase != phase_;
        if (!is_new && now - shown_ < std::chrono::seconds(1)) return;
        phase_ = progress.phase;
        shown_ = now;
        if (progress.epochs > 0)
            fmt::print(stderr, "{} {}/{} {:3.0f} %  loss {:.4f}  {:.1f} records/s\n", progress.phase, progress.epoch,
                       progress.epochs, 100 * progress.fraction, progress.loss, progress.records_per_s);
        else
            fmt::print(stderr, "{} {:3.0f} %\n", progress.phase, 100 * progress.fraction);
    }
    void print(const Finished& finished) {
        print_result(read_job_result(finished.result_path, finished.result_digest));
        remove_checkpoints(std::filesystem::path(finished.result_path).parent_path().string());
        fmt::print("{:.1f} s; {}\n", finished.seconds, finished.result_path);
        exit_code_ = kExitDone;
        is_over_ = true;
    }
    void print(const Failed& failed) {
        fmt::print(stderr, "leadsweep-worker: {}: {}\n", to_string(failed.failure), failed.message);
        exit_code_ = failed.failure == FailureClass::kInterrupted ? kExitInterrupted
                     : failed.failure == FailureClass::kInvalid   ? kExitBadInput
                                                                  : kExitSomeFailed;
        is_over_ = true;
    }
    template <class Other>
    void print(const Other&) {}

    static void print_result(const JobResult& result) {
        for (const auto& epoch : result.epochs)
            fmt::print("epoch {}: training loss {:.5f}, validation loss {:.5f}, {:.1f} records/s{}\n", epoch.epoch,
                       epoch.train_loss, epoch.validation_loss.value_or(0), epoch.records_per_s,
                       epoch.is_best ? ", best" : "");
        for (const auto& metric : result.metrics)
            if (metric.split == "test" && metric.class_code.empty() && metric.value)
                fmt::print("test {}: {:.4f}\n", metric.name, *metric.value);
    }

    std::string phase_;
    std::chrono::steady_clock::time_point shown_{};
    int exit_code_ = kExitInternal;
    bool is_over_ = false;
    std::thread thread_;
};

}  // namespace

int train_by_hand(const TrainByHand& options) {
    const Device found = find_device(options.device, options.threads);
    const Device device = take_device(found.uuid, found.cores);
    prepare_process_for_training(options.threads);
    log::info("{} ({}); {}", device.uuid, device.name, describe_build());
    const auto out = std::filesystem::absolute(options.out).lexically_normal().string();
    const Assign assign = read_job_file(options.job, out);
    // Session and pipes live as long as the process: its reader waits in read(), and to it the end of its commands
    // means that its supervisor is gone.
    auto* const commands = new Pipe;
    auto* const facts = new Pipe;
    auto* const session = new Session(commands->out.get(), facts->in.get());
    Printer printer(facts->out.get());
    stop_frame = make_frame(encode(ToWorker(Stop{assign.attempt, FailureClass::kInterrupted})));
    stop_descriptor = commands->in.get();
    write_frame(commands->in.get(), encode(ToWorker(assign)));
    std::signal(SIGINT, on_interrupt);
    JobRunner runner(*session, torch_device_of(device));
    if (const auto work = session->next()) runner.run(std::get<Assign>(*work));
    return printer.exit_code();
}

}  // namespace leadsweep

// A worker without LibTorch: speaks the whole protocol and fails in the ways that are asked for, so that the
// orchestrator is tested in milliseconds.
//
// Environment: LEADSWEEP_FAKE_DEVICES (number of devices, 2; `cuda`: what CUDA_VISIBLE_DEVICES names),
// LEADSWEEP_FAKE_EPOCHS (an attempt leaves a checkpoint after each of so many epochs and goes on from an earlier one,
// 0), LEADSWEEP_FAKE_SECONDS (length of an attempt, 0; MIN:MAX for lengths between), LEADSWEEP_FAKE_HELPER_SECONDS
// (before a survey or a list of devices, 0), LEADSWEEP_FAKE_RESULT=yes (attempts leave a result file, with a token as
// metric `token`), LEADSWEEP_FAKE_TRACE (file to which every completed execution appends "key attempt"),
// LEADSWEEP_FAKE_JOURNAL (file to which executions append "start|step|epoch|finish key attempt token seconds pid",
// seconds of the monotonic clock), and LEADSWEEP_FAKE_MODE: ok, or MODE[:FRACTION] for that fraction of (key, attempt)
// pairs, with MODE in
//   crash, exit, hang, stop, invalid, diverged, oom      what the name says
//   garbage, truncated, oversized                        on the pipe of facts
//   closed                                               the pipe of facts is closed, the process goes on
//   foreign, twice                                       facts of other attempts; Finished two times
//   badresult, noresult                                  result with another digest; a result file that is not there
//   noise                                                megabytes on stdout
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "shared/core/descriptor.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/catalogue.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"
#include "shared/job/attempt_files.hpp"
#include "shared/job/job_result.hpp"
#include "shared/job/semantics.hpp"
#include "shared/protocol/codec.hpp"
#include "shared/protocol/framing.hpp"

using namespace leadsweep;

namespace {

constexpr int kCommands = 3;
constexpr int kFacts = 4;

std::string setting(const char* name, const char* fallback) {
    const char* value = std::getenv(name);
    return value ? value : fallback;
}

std::mutex telling;  // the beats come from a thread of their own

void tell(const FromWorker& fact) {
    const std::lock_guard lock(telling);
    write_frame(kFacts, encode(fact));
}

/// What the mode writes instead of a frame; then the worker waits to be ended.
void tell_raw(const std::string& bytes) {
    const std::lock_guard lock(telling);
    [[maybe_unused]] const auto written = ::write(kFacts, bytes.data(), bytes.size());
    std::this_thread::sleep_for(std::chrono::hours(1));
}

void append(const char* variable, const std::string& line) {
    const std::string path = setting(variable, "");
    if (path.empty()) return;
    const UniqueDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    [[maybe_unused]] const auto written = ::write(file.get(), line.data(), line.size());
}

/// One execution of an attempt: its lines of the journal, and the token by which its result is told from all others.
class Execution {
public:
    explicit Execution(const Assign& assign) : name_(fmt::format("{} {}", assign.key, assign.attempt.value)) {
        static std::mt19937 random{std::random_device{}()};
        token_ = static_cast<std::uint32_t>(random());
        note("start");
    }
    void note(const char* what) const {
        const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
        append("LEADSWEEP_FAKE_JOURNAL",
               fmt::format("{} {} {} {:.4f} {}\n", what, name_, token_, now.count(), ::getpid()));
    }
    double token() const { return static_cast<double>(token_); }

private:
    std::string name_;
    std::uint32_t token_ = 0;
};

/// A number in [0, 1) that depends on the attempt alone.
double chance(const Assign& assign) {
    const std::string digest = sha256(fmt::format("{} {}", assign.key, assign.attempt.value));
    return static_cast<double>(std::stoull(digest.substr(0, 8), nullptr, 16)) / 4294967296.0;
}

void misbehave(const std::string& mode, const Assign& assign) {
    if (mode == "crash") std::abort();
    if (mode == "exit") std::_Exit(7);
    if (mode == "stop") ::raise(SIGSTOP);
    if (mode == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
    if (mode == "garbage") tell_raw(make_frame("this is no message"));
    if (mode == "truncated") {
        const std::string frame = make_frame(encode(FromWorker{Finished{assign.attempt, 0, "", ""}}));
        const std::lock_guard lock(telling);
        [[maybe_unused]] const auto written = ::write(kFacts, frame.data(), frame.size() / 2);
        std::_Exit(0);
    }
    if (mode == "oversized") tell_raw("\xff\xff\xff\x7f and so on");
    if (mode == "closed") {
        ::close(kFacts);
        std::this_thread::sleep_for(std::chrono::hours(1));
    }
    if (mode == "foreign") {
        tell(Finished{{assign.attempt.value + 1}, 0, "", ""});
        tell(Failed{{assign.attempt.value - 1}, FailureClass::kInvalid, "not of this worker"});
        tell(Prepared{assign.attempt, 0});
    }
    if (mode == "noise") std::cout << std::string(std::size_t{4} << 20U, 'n') << std::endl;
    if (mode == "invalid")
        throw JobError(FailureClass::kInvalid, fmt::format("job {} is invalid on purpose", assign.key));
    if (mode == "diverged") throw JobError(FailureClass::kDiverged, "loss is nan on purpose");
    if (mode == "oom") throw JobError(FailureClass::kOomDevice, "out of memory on purpose: lower train.batch");
}

/// Figures that depend on the job alone, as those of training do.
JobResult small_result(const std::string& key, double token) {
    JobResult result;
    const auto figure = [&](const std::string& name) {
        return static_cast<double>(std::stoul(sha256(key + name).substr(0, 8), nullptr, 16)) / 4294967296.0;
    };
    for (const char* name : {"macro_f1", "macro_auroc"}) result.metrics.push_back({"test", "", name, figure(name), 10});
    for (const char* lead : {"I", "II", "V1"})
        result.lead_importance.push_back({"426783006", lead, 0, figure(lead) - 0.5, figure(lead), 0.1, 10, 0.5});
    result.metrics.push_back({"test", "", "token", token, 10});
    result.epochs.push_back({1, 0.7, 0.6, 0.5, 0.5, 1e-3, 0.1, 100, true});
    result.n_test = 10;
    return result;
}

/// Seconds that this attempt lasts.
double length_of(const Assign& assign) {
    const auto range = split(setting("LEADSWEEP_FAKE_SECONDS", "0"), ':');
    const double least = std::stod(range[0]);
    return range.size() == 1 ? least : least + chance(assign) * (std::stod(range[1]) - least);
}

/// Works in steps of some milliseconds; throws once a stop or the end of the orchestrator arrives.
void work(const Execution& execution, double seconds) {
    constexpr auto kStep = std::chrono::milliseconds(10);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now);
        pollfd polled{kCommands, POLLIN, 0};
        if (::poll(&polled, 1, static_cast<int>(std::min(kStep, left).count())) > 0)
            throw JobError(FailureClass::kInterrupted, "stopped on request");
        execution.note("step");
    }
}

/// Epochs that an earlier attempt completed.
int epochs_done(const Assign& assign) {
    if (assign.resume_folder.empty()) return 0;
    return std::stoi(read_file(assign.resume_folder + "/" + kCheckpointFile));
}

/// Like training: a checkpoint after every epoch, so that what is interrupted goes on from the last one.
void train(const Execution& execution, const Assign& assign, int epochs) {
    for (int epoch = epochs_done(assign); epoch < epochs; ++epoch) {
        work(execution, length_of(assign) / epochs);
        write_file_durably(assign.attempt_folder + "/" + kCheckpointFile, std::to_string(epoch + 1));
        execution.note("epoch");
    }
}

void run_attempt(const Assign& assign) {
    const auto parts = split(setting("LEADSWEEP_FAKE_MODE", "ok"), ':');
    const double fraction = parts.size() > 1 ? std::stod(parts[1]) : 1.0;
    const std::string mode = fraction >= 1 || chance(assign) < fraction ? parts[0] : "ok";
    const Execution execution(assign);
    misbehave(mode, assign);
    if (const int epochs = std::stoi(setting("LEADSWEEP_FAKE_EPOCHS", "0")); epochs > 0)
        train(execution, assign, epochs);
    else
        work(execution, length_of(assign));
    Finished finished{assign.attempt, 0.001, "", ""};
    if (setting("LEADSWEEP_FAKE_RESULT", "no") == "yes" || mode == "badresult" || mode == "noresult") {
        finished.result_path = assign.attempt_folder + "/result.cbor";
        finished.result_digest = write_job_result(small_result(assign.key, execution.token()), finished.result_path);
        if (mode == "badresult") finished.result_digest = sha256("another result");
        if (mode == "noresult") std::filesystem::remove(finished.result_path);
    }
    execution.note("finish");
    append("LEADSWEEP_FAKE_TRACE", fmt::format("{} {}\n", assign.key, assign.attempt.value));
    tell(finished);
    if (mode == "twice") tell(finished);
}

/// Says that the process lives, as the real worker does from a thread of its own.
void beat() {
    constexpr auto kInterval = std::chrono::milliseconds(250);
    try {
        for (;; std::this_thread::sleep_for(kInterval)) tell(Beat{});
    } catch (const FileError&) {
        // Nobody listens any more: the main thread finds the same.
    }
}

int serve(const std::string& device) {
    std::signal(SIGPIPE, SIG_IGN);
    tell(Hello{kProtocolVersion,
               "fake",
               semantics::all(),
               {device.substr(0, device.find('-')), device, "fake", {0}, 0},
               ::getpid()});
    std::thread(beat).detach();
    FrameReader reader;
    std::string buffer(65536, '\0');
    while (true) {
        while (auto frame = reader.next()) {
            const ToWorker message = decode_to_worker(*frame);
            if (std::holds_alternative<Shutdown>(message)) return 0;
            if (const auto* prepare = std::get_if<Prepare>(&message)) tell(Prepared{prepare->attempt, 0});
            const auto* assign = std::get_if<Assign>(&message);
            if (!assign) continue;
            try {
                run_attempt(*assign);
            } catch (const JobError& error) {
                tell(Failed{assign->attempt, error.failure(), error.what()});
            }
        }
        const ssize_t size = ::read(kCommands, buffer.data(), buffer.size());
        if (size <= 0) return 0;
        reader.feed({buffer.data(), static_cast<std::size_t>(size)});
    }
}

/// Records that look like the generator's, without signals.
int survey(const std::string& request_path, const std::string& out) {
    const auto request = nlohmann::json::parse(read_file(request_path));
    const auto& synthetic = request.at("synthetic");
    Catalogue catalogue;
    const auto patients = synthetic.at("patients").get<int>();
    const auto each = synthetic.value("records_per_patient", 2);
    const LabelSet& labels = label_set("challenge2021");
    for (int i = 0; i < patients * each; ++i) {
        CatalogueRecord record;
        record.path = fmt::format("synthetic/{:06}", i);
        record.sampling_hz = 500;
        record.samples = 5000;
        record.leads = standard_lead_names();
        record.labels = {labels.classes[static_cast<std::size_t>(i / each) % 5].code};
        record.patient = fmt::format("p{:06}", i / each);
        record.signal_digest = sha256(setting("LEADSWEEP_FAKE_RECORDS", "") + record.path);
        catalogue.records.push_back(record);
    }
    save_catalogue(catalogue, out);
    return 0;
}

/// "cpu-0", "cpu-1", ... or those that Slurm gave: "cuda-0", "cuda-1".
std::vector<std::string> device_names() {
    const std::string wanted = setting("LEADSWEEP_FAKE_DEVICES", "2");
    std::vector<std::string> names;
    if (wanted == "cuda") {
        for (const std::string& index : split(setting("CUDA_VISIBLE_DEVICES", ""), ','))
            if (!index.empty()) names.push_back("cuda-" + index);
    } else {
        for (int i = 0; i < std::stoi(wanted); ++i) names.push_back(fmt::format("cpu-{}", i));
    }
    return names;
}

}  // namespace

int main(int count, char** arguments) try {
    const std::vector<std::string> args(arguments + 1, arguments + count);
    const std::string command = args.empty() ? "" : args[0];
    if (command == "serve") return serve(args.at(2));
    std::this_thread::sleep_for(
        std::chrono::duration<double>(std::stod(setting("LEADSWEEP_FAKE_HELPER_SECONDS", "0"))));
    if (command == "survey") return survey(args.at(1), args.at(3));
    if (command == "devices") {
        nlohmann::json devices = nlohmann::json::array();
        for (const std::string& name : device_names())
            devices.push_back({{"kind", name.substr(0, name.find('-'))},
                               {"uuid", name},
                               {"name", "fake"},
                               {"cores", {0}},
                               {"memory_bytes", 0}});
        std::cout << devices.dump() << std::endl;
        return 0;
    }
    std::cerr << "usage: fake_worker devices | serve --device UUID | survey REQUEST --out FILE\n";
    return kExitBadInput;
} catch (const std::exception& error) {
    std::cerr << "fake_worker: " << error.what() << std::endl;
    return kExitInternal;
}

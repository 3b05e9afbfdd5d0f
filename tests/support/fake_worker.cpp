// A worker without LibTorch: speaks the whole protocol and fails in the ways that are asked for, so that the
// orchestrator is tested in milliseconds.
//
// Environment: LEADSWEEP_FAKE_DEVICES (number of devices, 2), LEADSWEEP_FAKE_SECONDS (length of an attempt, 0),
// LEADSWEEP_FAKE_TRACE (file to which every completed execution appends "key attempt"), and LEADSWEEP_FAKE_MODE:
// ok, or MODE[:FRACTION] with MODE in crash, exit, hang, stop, garbage, noise, invalid, diverged, oom, badresult, for
// that fraction of (key, attempt) pairs.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "shared/core/digest.hpp"
#include "shared/core/files.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"
#include "shared/ecg/catalogue.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/ecg/leads.hpp"
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

void tell(const FromWorker& fact) {
    write_frame(kFacts, encode(fact));
}

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
    if (mode == "garbage") {
        const std::string garbage = "\xff\xff\xff\xff this is no frame";
        [[maybe_unused]] const auto written = ::write(kFacts, garbage.data(), garbage.size());
        std::this_thread::sleep_for(std::chrono::hours(1));
    }
    if (mode == "noise") std::cout << std::string(std::size_t{4} << 20U, 'n') << std::endl;
    if (mode == "invalid")
        throw JobError(FailureClass::kInvalid, fmt::format("job {} is invalid on purpose", assign.key));
    if (mode == "diverged") throw JobError(FailureClass::kDiverged, "loss is nan on purpose");
    if (mode == "oom") throw JobError(FailureClass::kOomDevice, "out of memory on purpose: lower train.batch");
}

JobResult small_result() {
    JobResult result;
    for (const char* name : {"macro_f1", "macro_auroc"}) result.metrics.push_back({"test", "", name, 0.5, 10});
    result.epochs.push_back({1, 0.7, 0.6, 0.5, 0.5, 1e-3, 0.1, 100, true});
    result.n_test = 10;
    return result;
}

/// Whether a stop or the end of the orchestrator arrived meanwhile.
bool is_told_to_stop(double seconds) {
    pollfd polled{kCommands, POLLIN, 0};
    return ::poll(&polled, 1, static_cast<int>(seconds * 1000)) > 0;
}

void run_attempt(const Assign& assign) {
    const std::string wanted = setting("LEADSWEEP_FAKE_MODE", "ok");
    const auto parts = split(wanted, ':');
    const double fraction = parts.size() > 1 ? std::stod(parts[1]) : 1.0;
    const bool is_bad = parts[0] != "ok" && chance(assign) < fraction;
    if (is_bad && parts[0] != "badresult") misbehave(parts[0], assign);
    if (is_told_to_stop(std::stod(setting("LEADSWEEP_FAKE_SECONDS", "0"))) &&
        std::stod(setting("LEADSWEEP_FAKE_SECONDS", "0")) > 0)
        throw JobError(FailureClass::kInterrupted, "stopped on request");
    Finished finished{assign.attempt, 0.001, "", ""};
    if (setting("LEADSWEEP_FAKE_RESULT", "no") == "yes" || is_bad) {
        finished.result_path = assign.attempt_folder + "/result.cbor";
        finished.result_digest = write_job_result(small_result(), finished.result_path);
        if (is_bad && parts[0] == "badresult") finished.result_digest = sha256("another result");
    }
    const std::string trace = setting("LEADSWEEP_FAKE_TRACE", "");
    if (!trace.empty()) {
        const int file = ::open(trace.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        const std::string line = fmt::format("{} {}\n", assign.key, assign.attempt.value);
        [[maybe_unused]] const auto written = ::write(file, line.data(), line.size());
        ::close(file);
    }
    tell(finished);
}

int serve(const std::string& device) {
    std::signal(SIGPIPE, SIG_IGN);
    tell(Hello{kProtocolVersion, "fake", semantics::all(), {"cpu", device, "fake", {0}, 0}, ::getpid()});
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
        tell(Beat{});
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
        record.signal_digest = sha256(record.path);
        catalogue.records.push_back(record);
    }
    save_catalogue(catalogue, out);
    return 0;
}

}  // namespace

int main(int count, char** arguments) try {
    const std::vector<std::string> args(arguments + 1, arguments + count);
    const std::string command = args.empty() ? "" : args[0];
    if (command == "serve") return serve(args.at(2));
    if (command == "survey") return survey(args.at(1), args.at(3));
    if (command == "devices") {
        nlohmann::json devices = nlohmann::json::array();
        for (int i = 0; i < std::stoi(setting("LEADSWEEP_FAKE_DEVICES", "2")); ++i)
            devices.push_back({{"kind", "cpu"},
                               {"uuid", fmt::format("cpu-{}", i)},
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

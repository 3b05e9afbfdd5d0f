// How many 500 Hz, 10 s, 12-lead .mat records a second one thread prepares to 75 Hz, and where the time goes.
// Run: prepare_bench [rounds]. Prints the best round's processor time of this thread (waiting for a disk or for other
// programs is not in it); asserts nothing.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <malloc.h>

#include "shared/core/digest.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/pack.hpp"
#include "worker/dataset/prepare.hpp"
#include "worker/dataset/resample.hpp"
#include "worker/dataset/survey.hpp"

using namespace leadsweep;

namespace {

constexpr std::int64_t kRecords = 256;

double thread_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double best_of(int rounds, const std::function<void()>& action) {
    double best_s = 1e9;
    for (int round = 0; round < rounds; ++round) {
        const double start_s = thread_seconds();
        action();
        best_s = std::min(best_s, thread_seconds() - start_s);
    }
    return best_s;
}

void show(const std::string& what, double seconds) {
    fmt::print("{:<44} {:8.1f} us/record {:8.0f} records/s\n", what, 1e6 * seconds / kRecords, kRecords / seconds);
}

/// Writes generated records as .mat; returns their header paths.
std::vector<std::string> write_records(const std::filesystem::path& folder) {
    SyntheticSpec spec;
    spec.patients = kRecords;
    spec.records_per_patient = 1;
    std::vector<std::string> headers;
    for (std::int64_t index = 0; index < kRecords; ++index) {
        const auto made = make_synthetic_record(spec, index);
        testing::RecordToWrite record;
        record.name = fmt::format("A{:04}", index);
        record.samples = made.samples;
        for (const float value : made.signal) record.digital.push_back(static_cast<std::int16_t>(value));
        testing::write_record(record, folder);
        headers.push_back(record.name + ".hea");
    }
    return headers;
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
    at::set_num_threads(1);
    // As in the worker: memory once had is kept, not given back and faulted in again for every record.
    ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
    ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
    const testing::ScratchFolder folder;
    const auto records_folder = folder.path() / "records";
    const SurveyRequest request{records_folder.string(), write_records(records_folder), {}};
    JobSpec spec;
    spec.sampling_hz = 75;
    spec.data.records = request.records_folder;
    const Catalogue catalogue{survey(request, nullptr)};

    std::vector<WfdbRecord> records(kRecords);
    std::vector<float> out(kRecords * 12 * 750);
    std::vector<double> window(12 * 5000);
    std::vector<double> resampled(12 * 750);
    show("survey (read, check, SHA-256)", best_of(rounds, [&] { survey(request, nullptr); }));
    show("read and check", best_of(rounds, [&] {
             for (std::size_t i = 0; i < kRecords; ++i)
                 records[i] = read_wfdb_record(records_folder / request.headers[i]);
         }));
    show("Fourier resampling, one record a call", best_of(rounds, [&] {
             for (std::size_t i = 0; i < kRecords; ++i) resample_fourier(window, 12, 5000, 750, resampled);
         }));
    show("prepare in memory", best_of(rounds, [&] {
             Preparer preparer(spec);
             for (std::size_t i = 0; i < kRecords; ++i)
                 preparer.add(records[i], std::span<float>(out).subspan(i * 9000, 9000));
             preparer.flush();
         }));
    show("read, check and prepare", best_of(rounds, [&] {
             Preparer preparer(spec);
             for (std::size_t i = 0; i < kRecords; ++i)
                 preparer.add(read_wfdb_record(records_folder / request.headers[i]),
                              std::span<float>(out).subspan(i * 9000, 9000));
             preparer.flush();
         }));
    show("SHA-256 of a shard", best_of(rounds, [&] { sha256(std::as_bytes(std::span<const float>(out))); }));
    show("whole shard, written durably", best_of(rounds, [&] {
             std::filesystem::remove_all(folder.path() / "pack");
             write_shard(spec, catalogue, folder.path() / "pack", 0, nullptr);
         }));
    return 0;
}

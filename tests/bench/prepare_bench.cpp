// How many 500 Hz, 10 s, 12-lead .mat records a second one thread prepares to 75 Hz, and where the time goes; how much
// memory a large preparation takes, and how soon an epoch starts from its pack. Prints; asserts nothing.
//
//   prepare_bench speed [ROUNDS] [FOLDER]       the best round's processor time of this thread (waiting for a disk or
//   for
//                                               other programs is not in it); leaves the records in FOLDER for a peer
//   prepare_bench shards FOLDER RANK OF RECORDS every OF-th shard of a pack of generated records, and this process's
//   memory prepare_bench epoch FOLDER RECORDS          opens that pack, orders an epoch, copies its first batch
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include "shared/core/digest.hpp"
#include "tests/worker/dataset/record_writer.hpp"
#include "worker/dataset/pack.hpp"
#include "worker/dataset/prepare.hpp"
#include "worker/dataset/resample.hpp"
#include "worker/dataset/sampler.hpp"
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

/// A pack of `records` records at 75 Hz: what a large job of the study reads. The records are those of FOLDER/records,
/// a thousand a folder: 000/r000000.hea ... (data.py links them there).
struct LargePack {
    JobSpec spec;
    Catalogue catalogue;

    LargePack(const std::filesystem::path& folder, std::int64_t records) {
        spec.sampling_hz = 75;
        spec.data.records = (folder / "records").string();
        for (std::int64_t i = 0; i < records; ++i) {
            CatalogueRecord& record = catalogue.records.emplace_back();
            record.path = fmt::format("{:03}/r{:06}", i / 1000, i);
            record.sampling_hz = 500;
            record.samples = 5000;
            record.leads = standard_lead_names();
        }
    }
};

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Most memory this process has had, in MiB.
double peak_mib() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

int make_shards(const std::filesystem::path& folder, std::int64_t rank, std::int64_t of, std::int64_t records) {
    const LargePack large(folder, records);
    const double start_s = wall_seconds();
    std::int64_t made = 0;
    for (std::int64_t shard = rank; shard < shard_count(records); shard += of)
        made += write_shard(large.spec, large.catalogue, folder / "pack", shard, nullptr).records;
    const double seconds = wall_seconds() - start_s;
    fmt::print("process {} of {}: {} records in {:.1f} s, {:.0f} records/s, peak memory {:.0f} MiB\n", rank, of, made,
               seconds, static_cast<double>(made) / seconds, peak_mib());
    return 0;
}

int start_epoch(const std::filesystem::path& folder, std::int64_t records) {
    const LargePack large(folder, records);
    constexpr std::size_t kBatch = 32;
    for (int round = 0; round < 3; ++round) {
        const double start_s = wall_seconds();
        const Pack pack = Pack::open(folder / "pack", large.spec, records);
        const double opened_s = wall_seconds();
        std::vector<std::int32_t> train(static_cast<std::size_t>(records));
        std::iota(train.begin(), train.end(), 0);
        const auto order = Sampler(train, 1).epoch_order(round);
        std::vector<float> batch(kBatch * 12 * 750);
        for (std::size_t i = 0; i < kBatch; ++i) pack.copy(order[i], std::span<float>(batch).subspan(i * 9000, 9000));
        const double end_s = wall_seconds();
        fmt::print("epoch start: {:.1f} ms to open {} shards, {:.1f} ms to order {} records and copy the first batch\n",
                   1e3 * (opened_s - start_s), shard_count(records), 1e3 * (end_s - opened_s), records);
    }
    return 0;
}

int show_speeds(int rounds, const std::string& kept_folder);

}  // namespace

int main(int argc, char** argv) {
    at::set_num_threads(1);
    // As in the worker: memory once had is kept, not given back and faulted in again for every record.
    ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
    ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() == 5 && args[0] == "shards")
        return make_shards(args[1], std::stoll(args[2]), std::stoll(args[3]), std::stoll(args[4]));
    if (args.size() == 3 && args[0] == "epoch") return start_epoch(args[1], std::stoll(args[2]));
    const int rounds = args.size() > 1 ? std::atoi(args[1].c_str()) : 7;
    return show_speeds(rounds, args.size() > 2 ? args[2] : "");
}

namespace {

int show_speeds(int rounds, const std::string& kept_folder) {
    const testing::ScratchFolder folder;
    const auto records_folder = kept_folder.empty() ? folder.path() / "records" : std::filesystem::path(kept_folder);
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

}  // namespace

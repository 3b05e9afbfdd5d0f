// How fast the store takes over a sweep: printed, never asserted on. Usage: store_bench [folder] [jobs]
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/report/comparison.hpp"
#include "orchestrator/store/result_store.hpp"
#include "shared/job/job_spec.hpp"

namespace {

using namespace leadsweep;

/// Wall time; says how much of it this process had a processor, since other work may share the machine.
template <class Work>
double seconds_of(Work&& work) {
    const std::clock_t cpu_begin = std::clock();
    const auto begin = std::chrono::steady_clock::now();
    work();
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    fmt::print("  [processor {:.2f} s of {:.2f} s]\n", static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC,
               wall);
    return wall;
}

std::vector<JobRow> make_jobs(std::int64_t count) {
    std::vector<JobRow> rows;
    JobSpec spec;
    for (std::int64_t i = 0; i < count; ++i) {
        spec.fold = i % 10;
        spec.sampling_hz = static_cast<double>(50 + i / 10 % 10);
        spec.seed = i / 100;
        rows.push_back({keys_of(spec, {"data", "lists" + std::to_string(spec.fold)}), to_json(spec).dump(), "lists"});
    }
    return rows;
}

void finish_jobs(ResultStore& store, const std::vector<JobId>& ids, std::size_t per_commit, const JobResult& result) {
    AttemptIds block;
    for (std::size_t begin = 0; begin < ids.size(); begin += per_commit) {
        const std::size_t end = std::min(begin + per_commit, ids.size());
        block = store.reserve_attempt_ids(end - begin);
        store.in_transaction([&] {
            for (std::size_t i = begin; i < end; ++i) {
                const AttemptId attempt{block.first.value + (i - begin)};
                store.record_attempt_started({attempt, ids[i], "node", {1}, "cpu", "cpu-0", "a/b", "worker.log", 0});
                store.record_finished(attempt, result, {0.01, 100});
            }
        });
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::filesystem::path folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path();
    const std::int64_t count = argc > 2 ? std::atoll(argv[2]) : 100000;
    const std::string path = folder / fmt::format("store_bench_{}.sqlite", std::rand());
    const auto rows = make_jobs(count);
    fmt::print("spec: {} bytes\n", rows[0].spec.size());
    {
        ResultStore store = ResultStore::open(path);
        const SweepId sweep = store.register_sweep("bench", "yaml", "hash");
        std::vector<JobId> ids;
        fmt::print("upsert of {} new jobs: {:.2f} s\n", count,
                   seconds_of([&] { ids = store.upsert_jobs(sweep, rows); }));
        store.register_sweep("bench", "yaml", "hash");
        fmt::print("upsert of {} known jobs: {:.2f} s\n", count, seconds_of([&] { store.upsert_jobs(sweep, rows); }));
        fmt::print("load_states: {:.3f} s\n", seconds_of([&] { store.load_states(ids); }));

        const std::vector<JobId> plain(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2));
        const double plain_s = seconds_of([&] { finish_jobs(store, plain, 200, {}); });
        fmt::print("no-op jobs, 200 a commit: {:.0f} a second\n", static_cast<double>(plain.size()) / plain_s);

        JobResult result;
        for (int i = 0; i < 300; ++i)
            result.metrics.push_back({"test", fmt::format("class{}", i / 8), fmt::format("m{}", i % 8), 0.5, 1});
        result.metrics.push_back({"test", "", "macro_f1", 0.5, 1});
        for (int i = 0; i < 3600; ++i)
            result.lead_importance.push_back({fmt::format("class{}", i / 120),
                                              std::string(kLeadNames[static_cast<std::size_t>(i / 10 % 12)]), i % 10,
                                              0.1, 0.2, 0.3, 50, 0.5});
        const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2);
        const std::vector<JobId> full(begin, begin + std::min<std::ptrdiff_t>(200, ids.end() - begin));
        const double full_s = seconds_of([&] { finish_jobs(store, full, 20, result); });
        fmt::print("full results (301 metrics, 3,600 importances), 20 a commit: {:.0f} a second\n",
                   static_cast<double>(full.size()) / full_s);
    }
    const ReadStore reader = ReadStore::open(path);
    fmt::print("comparison_table over {} jobs: {:.2f} s\n", count, seconds_of([&] { comparison_table(reader, {}); }));
    fmt::print("view runs, all rows: {:.2f} s\n",
               seconds_of([&] { reader.ask("SELECT count(*), avg(macro_f1), avg(accuracy) FROM runs"); }));
    fmt::print("file: {} MB\n", std::filesystem::file_size(path) / 1000000);
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path + suffix);
    return 0;
}

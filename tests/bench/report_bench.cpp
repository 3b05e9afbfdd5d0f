// How fast tables, questions and the report come from a large database, and how much memory they take: printed, never
// asserted on. Usage: report_bench LEADSWEEP [folder] [jobs]; a database that is there already is used again.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <vector>

#include <fcntl.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "orchestrator/store/result_store.hpp"
#include "shared/ecg/classes.hpp"
#include "shared/job/job_spec.hpp"

namespace {

using namespace leadsweep;

/// 10 folds x 10 rates x 4 losses x 5 depths x as many learning rates as it takes.
std::vector<JobRow> make_jobs(std::int64_t count) {
    const char* losses[] = {"bce", "focal", "soft_f1", "double_soft_f1"};
    std::vector<JobRow> rows;
    JobSpec spec;
    for (std::int64_t i = 0; i < count; ++i) {
        spec.fold = i % 10;
        spec.sampling_hz = static_cast<double>(50 + 50 * (i / 10 % 10));
        spec.loss = losses[i / 100 % 4];
        spec.model.depth = 3 + i / 400 % 5;
        spec.train.learning_rate = 1e-4 * static_cast<double>(1 + i / 2000);
        const std::string lists = "lists" + std::to_string(spec.fold);
        rows.push_back({keys_of(spec, {"data", lists}), to_json(spec).dump(), lists});
    }
    return rows;
}

/// 10 figures over all classes, and AUROC and F1 of 15 groups: 40.
JobResult make_result(std::int64_t job) {
    JobResult result;
    result.n_train = 70602;
    result.n_validation = 8825;
    result.n_test = 8825;
    const auto value = [&](std::int64_t of) {
        return 0.3 + static_cast<double>((job * 7919 + of * 104729) % 100003) / 3e5;
    };
    const char* names[] = {
        "macro_f1",    "macro_auroc",    "macro_auprc",           "accuracy",      "subset_accuracy", "challenge_score",
        "macro_f1_30", "macro_auroc_20", "accuracy_all_negative", "macro_f1_tuned"};
    std::int64_t of = 0;
    for (const char* name : names) result.metrics.push_back({"test", "", name, value(++of), 100});
    const LabelSet& set = label_set("challenge2021");
    for (std::size_t group = 0; group < 15; ++group)
        for (const char* name : {"auroc", "f1"})
            result.metrics.push_back({"test", set.group_code(group), name, value(++of), 10});
    return result;
}

void make_database(const std::string& path, std::int64_t count) {
    ResultStore store = ResultStore::open(path);
    const auto ids = store.upsert_jobs(store.register_sweep("bench", "name: bench\n", "hash"), make_jobs(count));
    constexpr std::size_t kPerCommit = 2000;
    for (std::size_t begin = 0; begin < ids.size(); begin += kPerCommit) {
        const std::size_t end = std::min(begin + kPerCommit, ids.size());
        const AttemptIds block = store.reserve_attempt_ids(end - begin);
        store.in_transaction([&] {
            for (std::size_t i = begin; i < end; ++i) {
                const AttemptId attempt{block.first.value + (i - begin)};
                store.record_attempt_started({attempt, ids[i], "node", {1}, "cpu", "cpu-0", "a/b", "worker.log", 0});
                store.record_finished(attempt, make_result(static_cast<std::int64_t>(i)), {100, 100});
            }
        });
    }
}

/// The peak of memory passes to the programs that a process starts, so this one stays small.
bool in_another_process(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0;
}

/// Runs the program with its output thrown away; prints time and memory.
void measure(const std::vector<std::string>& words) {
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child == 0) {
        const int nothing = ::open("/dev/null", O_WRONLY);
        ::dup2(nothing, STDOUT_FILENO);
        std::vector<char*> arguments;
        for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    int status = 0;
    rusage used{};
    ::wait4(child, &status, 0, &used);
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    fmt::print("{:.2f} s (processor {:.2f} s), {} MB, code {}: {}\n", wall,
               seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss / 1024, WEXITSTATUS(status),
               fmt::join(words.begin() + 1, words.end(), " "));
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: report_bench LEADSWEEP [folder] [jobs]\n";
        return 2;
    }
    const std::string program = argv[1];
    const std::filesystem::path folder = argc > 2 ? argv[2] : std::filesystem::temp_directory_path();
    const std::int64_t count = argc > 3 ? std::atoll(argv[3]) : 100000;
    const std::string path = folder / fmt::format("report_bench_{}.sqlite", count);
    if (!std::filesystem::exists(path) && !in_another_process([&] { make_database(path, count); })) return 1;
    fmt::print("{} jobs x 40 metrics, {} MB\n", count, std::filesystem::file_size(path) / 1000000);
    std::fflush(stdout);
    const std::string out = folder / "report_bench.html";
    measure({program, "table", "--db", path});
    measure({program, "table", "--db", path, "--rows", "loss", "--columns", "", "--metric", "macro_f1,macro_auroc",
             "--format", "json"});
    measure({program, "table", "--db", path, "--baseline", "loss=bce"});
    measure(
        {program, "query", "--db", path, "SELECT loss, sampling_hz, count(*), avg(macro_f1) FROM runs GROUP BY 1, 2"});
    measure({program, "best", "--db", path});
    measure({program, "report", "--db", path, "--out", out});
    fmt::print("report: {} kB\n", std::filesystem::file_size(out) / 1000);
    return 0;
}

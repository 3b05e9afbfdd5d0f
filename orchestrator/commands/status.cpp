#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/asking.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/report/status.hpp"
#include "orchestrator/slurm/controller.hpp"
#include "orchestrator/slurm/submissions.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::chrono::seconds kWatchInterval{2};
constexpr std::chrono::seconds kQueueInterval{60};

struct StatusOptions {
    bool is_watching = false;
    std::string sweep;
    std::int64_t failures = 5;
    Places places;
};

Table running_table(const StatusReply& status) {
    Table table;
    table.caption = "Running";
    table.columns = {{"job", Alignment::kRight},
                     {"attempt", Alignment::kRight},
                     {"label"},
                     {"node"},
                     {"device"},
                     {"phase"},
                     {"epoch", Alignment::kRight},
                     {"done", Alignment::kRight},
                     {"loss", Alignment::kRight},
                     {"records/s", Alignment::kRight},
                     {"seconds", Alignment::kRight}};
    const auto unless_zero = [](double value, const std::string& text) { return cell_of(value > 0 ? text : ""); };
    for (const RunningAttempt& r : status.running)
        table.rows.push_back({cell_of(static_cast<std::int64_t>(r.job.value)),
                              cell_of(static_cast<std::int64_t>(r.attempt.value)), cell_of(r.label), cell_of(r.node),
                              cell_of(r.device), cell_of(r.phase),
                              cell_of(r.epochs > 0 ? fmt::format("{}/{}", r.epoch, r.epochs) : ""),
                              unless_zero(r.fraction, fmt::format("{:.0f} %", 100 * r.fraction)),
                              unless_zero(r.loss, fmt::format("{:.4f}", r.loss)),
                              unless_zero(r.records_per_s, fmt::format("{:.0f}", r.records_per_s)),
                              cell_of(fmt::format("{:.0f}", r.seconds))});
    if (status.running_count > static_cast<std::int64_t>(status.running.size()))
        table.notes.push_back(
            fmt::format("The {} longest running of {}.", status.running.size(), status.running_count));
    return table;
}

std::string live_text(const StatusReply& status, const std::string& holder) {
    std::string text =
        fmt::format("Sweep {} has been running for {} ({}): {} of {} jobs ended{}{}\n", status.sweep,
                    show_duration(status.elapsed_s), holder, status.finished + status.failed, status.jobs,
                    status.failed > 0 ? fmt::format(", {} of them failed", status.failed) : "",
                    status.remaining_s ? fmt::format(", about {} left", show_duration(*status.remaining_s)) : "");
    for (const NodeUse& use : status.nodes)
        text += fmt::format("  {}: {} of {} {} workers busy\n", use.node, use.busy, use.workers, use.device_kind);
    if (!status.running.empty()) text += "\n" + render(running_table(status), TableFormat::kText);
    return text;
}

/// What the coordinator says, and whether there is one.
std::pair<std::string, bool> live_block(const std::string& db) {
    const auto holder = StoreLock::holder_of(db);
    if (!holder) return {"No sweep runs on this database.\n", false};
    try {
        const auto status = ask_running<StatusReply>(db, StatusRequest{}, kQuestionTimeout_s);
        if (!status) return {"No sweep runs on this database.\n", false};
        return {live_text(*status, *holder), true};
    } catch (const InputError& error) {
        return {fmt::format("{}\n", error.what()), true};
    }
}

/// What Slurm says of the jobs that `submit` made for this database; asked at most once a minute.
class SlurmBlock {
public:
    explicit SlurmBlock(const std::string& db) {
        for (Submission& submission : submissions_in(slurm_folder(db))) submissions_[submission.id] = submission;
    }
    const std::string& text() {
        const auto now = std::chrono::steady_clock::now();
        if (submissions_.empty() || (asked_ && now - *asked_ < kQueueInterval)) return text_;
        asked_ = now;
        std::vector<std::string> ids;
        for (const auto& [id, submission] : submissions_) ids.push_back(id);
        const auto queued = queued_jobs(ids);
        is_queued_ = queued && !queued->empty();
        text_.clear();
        if (!queued) return text_ = "Slurm does not answer: what became of its jobs is not known.\n";
        for (const QueuedJob& job : *queued)
            text_ += fmt::format("Slurm job {} ({}): {}{}\n", job.shown_id, submissions_[job.id].sweep, job.state,
                                 words_on(job));
        if (queued->empty()) text_ = "No job of this database waits or runs in Slurm.\n";
        return text_;
    }
    /// A job waits or runs: the sweep has not ended.
    bool is_queued() const { return is_queued_; }

private:
    static std::string words_on(const QueuedJob& job) {
        if (job.state == "RUNNING") return fmt::format(" on {}, {} left", job.nodes, job.time_left);
        if (job.state != "PENDING") return "";
        return fmt::format(" ({}), {}", job.reason,
                           job.start == "N/A" ? "start not known" : "expected start " + job.start);
    }

    std::map<std::string, Submission> submissions_;
    std::optional<std::chrono::steady_clock::time_point> asked_;
    std::string text_;
    bool is_queued_ = false;
};

std::string stored_block(const StatusOptions& options, const std::string& db) {
    if (!std::filesystem::exists(db) && std::filesystem::exists(slurm_folder(db))) return "Nothing has run yet.\n";
    const ReadStore store = ReadStore::open(db);
    std::string text = render(state_table(store, options.sweep), TableFormat::kText);
    if (options.failures <= 0) return text;
    const Table failures = failure_table(store, options.sweep, options.failures);
    if (!failures.rows.empty()) text += "\n" + render(failures, TableFormat::kText);
    return text;
}

int show_status(const StatusOptions& options) {
    const std::string db = resolve_places(options.places).db;
    SlurmBlock slurm(db);
    const bool is_terminal_out = ::isatty(STDOUT_FILENO) != 0;
    while (true) {
        // Asked first: what it says of finished jobs is durable by the time the database is read.
        const auto [live, is_running] = live_block(db);
        const std::string text = slurm.text() + live + "\n" + stored_block(options, db);
        if (options.is_watching && is_terminal_out)
            fmt::print("\033[H\033[J{}", text);
        else
            fmt::print("{}", text);
        std::fflush(stdout);
        if (!options.is_watching || !(is_running || slurm.is_queued())) return kExitDone;
        std::this_thread::sleep_for(kWatchInterval);
        if (!is_terminal_out) fmt::print("\n");
    }
}

}  // namespace

void add_status_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<StatusOptions>();
    CLI::App* command = app.add_subcommand("status", "what runs, what is done, what failed");
    command->add_flag("--watch", options->is_watching, "again each 2 s until the sweep ends");
    command->add_option("--sweep", options->sweep, "only this sweep's jobs and failures");
    command->add_option("--failures", options->failures, "at most so many failed attempts, the latest first")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    add_place_options(*command, options->places);
    command->footer(
        "Works from every node that sees the database.\n"
        "Examples:\n  leadsweep status\n  leadsweep status --watch\n"
        "  leadsweep status --sweep demo --failures 50");
    command->callback([options, &exit_code] { exit_code = show_status(*options); });
}

}  // namespace leadsweep

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/doctor_checks.hpp"
#include "orchestrator/store/result_store.hpp"
#include "orchestrator/store/store_lock.hpp"

namespace leadsweep {
namespace {

struct DoctorOptions {
    bool is_repairing = false;
    bool is_quick = false;
    Places places;
};

void append(std::vector<Finding>& all, std::vector<Finding> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// What a look at the file alone tells.
std::vector<Finding> examine_file(const std::string& db) {
    try {
        const FileInspection file = inspect_file(db);
        std::error_code error;
        const auto space = std::filesystem::space(std::filesystem::path(db).parent_path(), error);
        fmt::print("{} file system, journal mode {}, schema version {}, {:.1f} GB free\n",
                   file.is_on_network ? "network" : "local", file.journal_mode, file.version,
                   error ? 0.0 : static_cast<double>(space.available) / 1e9);
        return check_file(file, db);
    } catch (const StoreError& error) {
        return {{error.what(), db, "restore a backup (`leadsweep backup` makes them)"}};
    }
}

/// Everything that is wrong. A damaged file is asked for no rows.
std::vector<Finding> examine(const Places& places, const DoctorOptions& options) {
    const auto holder = StoreLock::holder_of(places.db);
    const Checkup checkup{options.is_quick, holder.has_value()};
    if (holder)
        fmt::print("in use by {}: what only a database at rest can tell is left out\n", *holder);
    else
        fmt::print("in use by nobody\n");
    const ReadStore store = ReadStore::open(places.db);
    const auto age = store.snapshot_age_s();
    if (age) fmt::print("on a network file system, in use: its snapshot of {:.0f} s ago is examined\n", *age);
    auto findings = examine_file(age ? ResultStore::snapshot_path(places.db) : places.db);
    const bool is_damaged =
        std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.remedy == Remedy::kNone; });
    append(findings, check_surroundings(places, checkup));
    if (is_damaged) return findings;
    append(findings, check_rows(store, checkup));
    append(findings, check_artifacts(store, places, checkup));
    append(findings, check_checkpoints(store, places, checkup));
    append(findings, check_orphans(store, places, checkup));
    return findings;
}

/// Under the lock. Returns what was done.
std::size_t repair(const Places& places, const std::vector<Finding>& findings) {
    ResultStore store = ResultStore::open(places.db, {OpenMode::kExisting, {}});
    std::size_t done = 0;
    if (const std::int64_t closed = store.requeue_running(); closed > 0) {
        fmt::print("repaired: {} open attempts are closed as interrupted, their jobs wait\n", closed);
        ++done;
    }
    std::map<JobId, std::string> withdrawn;
    for (const Finding& finding : findings)
        if (finding.remedy == Remedy::kWithdrawResult) withdrawn.try_emplace(finding.job, finding.what);
    for (const auto& [job, why] : withdrawn) {
        if (!store.withdraw_result(job, why)) continue;
        fmt::print("repaired: job {} runs again at the next start: {}\n", job.value, why);
        ++done;
    }
    for (const Finding& finding : findings) {
        if (finding.remedy != Remedy::kRemove) continue;
        std::error_code error;
        std::filesystem::remove_all(finding.path, error);
        fmt::print("repaired: {} {}\n", error ? "could not remove" : "removed", finding.path);
        ++done;
    }
    return done;
}

void print_findings(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) fmt::print("{}: {}; {}\n", finding.where, finding.what, finding.advice);
}

int doctor(const DoctorOptions& options) {
    const Places places = resolve_places(options.places);
    // Before anything is read: --repair beside a running sweep is refused.
    if (const auto holder = StoreLock::holder_of(places.db); holder && options.is_repairing)
        throw InputError(
            fmt::format("{}: in use by another leadsweep ({}); repair it when that has ended", places.db, *holder));
    auto findings = examine(places, options);
    print_findings(findings);
    if (options.is_repairing && !findings.empty() && repair(places, findings) > 0) {
        fmt::print("\nafter the repair:\n");
        findings = examine(places, options);
        print_findings(findings);
    }
    fmt::print("{}: {}\n", places.db,
               findings.empty() ? "nothing is wrong" : fmt::format("{} findings", findings.size()));
    return findings.empty() ? kExitDone : kExitSomeFailed;
}

}  // namespace

void add_doctor_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<DoctorOptions>();
    CLI::App* command = app.add_subcommand("doctor", "check database and artefacts, and repair what can be");
    command->add_flag("--repair", options->is_repairing,
                      "close what was left open, let jobs with lost artefacts run again, remove leftovers");
    command->add_flag("--quick", options->is_quick, "sizes of artefacts, not their digests");
    add_place_options(*command, options->places);
    command->footer(
        "One line a finding: where, what, what to do. Exit code 0: nothing is wrong, 1: there are findings.\n"
        "--repair deletes no result: rows and files of a withdrawn one stay.\n"
        "Examples:\n  leadsweep doctor\n  leadsweep doctor --quick\n  leadsweep doctor --repair");
    command->callback([options, &exit_code] { exit_code = doctor(*options); });
}

}  // namespace leadsweep

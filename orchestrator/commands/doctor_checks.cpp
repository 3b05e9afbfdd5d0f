#include "orchestrator/commands/doctor_checks.hpp"

#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "orchestrator/control/request_folder.hpp"
#include "shared/arrays/sealed_arrays.hpp"
#include "shared/core/digest.hpp"
#include "shared/core/errors.hpp"
#include "shared/job/attempt_files.hpp"
#include "shared/job/fold_lists.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLittleSpaceBytes = std::uintmax_t{1} << 30U;
constexpr std::size_t kMostOfAKind = 20;

/// Names of files that are written whole: what still carries them was never finished.
bool is_temporary(const std::string& name) {
    return name.find(".tmp.") != std::string::npos || name.ends_with(".partial");
}

void add_damages(std::vector<Finding>& findings, const std::vector<std::string>& damages, const std::string& db) {
    for (std::size_t i = 0; i < std::min(damages.size(), kMostOfAKind); ++i)
        findings.push_back({damages[i], db, "restore a backup (`leadsweep backup` makes them)"});
    if (damages.size() > kMostOfAKind)
        findings.push_back({fmt::format("and {} more like these", damages.size() - kMostOfAKind), db, ""});
}

/// Rows of the question become findings: job id, then words.
void add_rows(std::vector<Finding>& findings, const ReadStore& store, const std::string& sql, const std::string& what,
              const std::string& advice, Remedy remedy) {
    for (const auto& row : store.ask(sql).rows) {
        const std::int64_t job = as_integer(row[0]).value_or(0);
        findings.push_back({fmt::format("{} {}", what, row.size() > 1 ? as_text(row[1]) : ""),
                            fmt::format("job {}", job),
                            advice,
                            remedy,
                            {static_cast<std::uint64_t>(job)}});
    }
}

/// "" where the artefact is what its row says.
std::string problem_of(const std::string& path, std::int64_t size, const std::string& digest, bool is_quick) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return "is not there";
    const auto found = static_cast<std::int64_t>(fs::file_size(path, error));
    if (found != size) return fmt::format("has {} bytes instead of {}", found, size);
    if (is_quick) return "";
    try {
        return sha256_file(path) == digest ? "" : "has other content than recorded (SHA-256)";
    } catch (const FileError& failure) {
        return fmt::format("cannot be read ({})", failure.what());
    }
}

/// What was recorded, or what its attempt saved later and could not report any more.
bool is_whole_checkpoint(const std::string& path, const std::string& recorded_digest) {
    try {
        return sha256_file(path) == recorded_digest || has_whole_seal(load_arrays(path));
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

std::vector<Finding> check_file(const FileInspection& file, const std::string& db) {
    std::vector<Finding> findings;
    add_damages(findings, file.damages, db);
    add_damages(findings, file.dangling_rows, db);
    if (file.version < file.newest_version)
        findings.push_back({fmt::format("schema version {} instead of {}", file.version, file.newest_version), db,
                            "the next `leadsweep run`, or --repair, brings it up to date", Remedy::kCloseAttempts});
    if (file.is_on_network && file.journal_mode == "wal")
        findings.push_back({"journal mode WAL on a network file system", db,
                            "the next `leadsweep run`, or --repair, changes it; until then use it from one node only",
                            Remedy::kCloseAttempts});
    return findings;
}

std::vector<Finding> check_surroundings(const Places& places, const Checkup& checkup) {
    std::vector<Finding> findings;
    std::error_code error;
    for (const std::string& folder : {fs::path(places.db).parent_path().string(), places.work}) {
        const auto space = fs::space(folder, error);
        if (!error && space.available < kLittleSpaceBytes)
            findings.push_back({fmt::format("only {:.0f} MB are free", static_cast<double>(space.available) / 1e6),
                                folder, "free some space before the next run"});
    }
    if (checkup.is_served) return findings;
    for (const auto& entry : fs::directory_iterator(control_folder(places.db), error))
        findings.push_back({"a request that nobody answers any more",
                            entry.path().string(),
                            "remove it",
                            Remedy::kRemove,
                            {},
                            entry.path().string()});
    const std::string name = fs::path(places.db).filename().string();
    for (const auto& entry : fs::directory_iterator(fs::path(places.db).parent_path(), error)) {
        const std::string other = entry.path().filename().string();
        if (other.starts_with(name + ".") && is_temporary(other))
            findings.push_back({"a copy that was never finished",
                                entry.path().string(),
                                "remove it",
                                Remedy::kRemove,
                                {},
                                entry.path().string()});
    }
    return findings;
}

std::vector<Finding> check_rows(const ReadStore& store, const Checkup& checkup) {
    std::vector<Finding> findings;
    add_rows(findings, store,
             "SELECT j.job_id, coalesce(a.attempt_id || ' of job ' || a.job_id || ', ' || coalesce(a.outcome, 'open'), "
             "'none') FROM jobs AS j LEFT JOIN attempts AS a ON a.attempt_id = j.winning_attempt_id WHERE j.state = "
             "'finished' AND (a.attempt_id IS NULL OR a.job_id <> j.job_id OR coalesce(a.outcome, '') <> 'finished')",
             "it is finished, but by attempt", "--repair lets the job run again", Remedy::kWithdrawResult);
    add_rows(findings, store,
             "SELECT j.job_id, CAST(count(*) AS TEXT) FROM jobs AS j JOIN attempts AS a USING (job_id) WHERE a.outcome "
             "= 'finished' "
             "GROUP BY j.job_id HAVING count(*) > 1 OR j.state <> 'finished'",
             "finished attempts that do not count, of", "report this as a bug; the job's own result is not touched",
             Remedy::kNone);
    add_rows(findings, store,
             "SELECT j.job_id, CAST(a.attempt_id AS TEXT) FROM jobs AS j JOIN attempts AS a ON a.attempt_id = "
             "j.winning_attempt_id "
             "WHERE a.n_test > 0 AND NOT EXISTS (SELECT 1 FROM metrics AS m WHERE m.attempt_id = a.attempt_id)",
             "its result has no figures, attempt", "--repair lets the job run again", Remedy::kWithdrawResult);
    if (checkup.is_served) return findings;
    add_rows(findings, store, "SELECT job_id, CAST(attempt_id AS TEXT) FROM attempts WHERE outcome IS NULL",
             "no sweep runs, but there is the open attempt",
             "the next `leadsweep run`, or --repair, closes it as interrupted", Remedy::kCloseAttempts);
    add_rows(findings, store,
             "SELECT job_id FROM jobs AS j WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE "
             "a.job_id = j.job_id AND a.outcome IS NULL)",
             "it is running without an attempt", "the next `leadsweep run`, or --repair, makes it wait",
             Remedy::kCloseAttempts);
    return findings;
}

std::vector<Finding> check_artifacts(const ReadStore& store, const Places& places, const Checkup& checkup) {
    std::vector<Finding> findings;
    const SqlResult artifacts = store.ask(
        "SELECT j.job_id, t.folder || '/' || a.path, a.size_bytes, a.digest, a.kind FROM jobs AS j JOIN attempts AS t "
        "ON t.attempt_id = j.winning_attempt_id JOIN artifacts AS a ON a.attempt_id = t.attempt_id ORDER BY j.job_id");
    for (const auto& row : artifacts.rows) {
        const std::string path = places.work + "/" + as_text(row[1]);
        const std::string problem = problem_of(path, as_integer(row[2]).value_or(0), as_text(row[3]), checkup.is_quick);
        if (problem.empty()) continue;
        const std::int64_t job = as_integer(row[0]).value_or(0);
        findings.push_back({fmt::format("the {} of job {} {}", as_text(row[4]), job, problem),
                            path,
                            "put it back, or --repair lets the job run again",
                            Remedy::kWithdrawResult,
                            {static_cast<std::uint64_t>(job)}});
    }
    const std::string rewritten = "the next `leadsweep run` of its sweep writes it again";
    std::set<std::string> data_digests;
    for (const auto& row : store
                               .ask("SELECT DISTINCT f.path, f.lists_digest, f.data_digest FROM folds AS f JOIN jobs "
                                    "AS j USING (lists_digest)")
                               .rows) {
        data_digests.insert(as_text(row[2]));
        const std::string path = places.work + "/" + as_text(row[0]);
        try {
            if (!fs::exists(path))
                findings.push_back({"the lists of a fold are not there", path, rewritten});
            else if (!checkup.is_quick && digest_of(load_fold_lists(path)) != as_text(row[1]))
                findings.push_back({"the lists of a fold are not those of its name", path, rewritten});
        } catch (const Error& error) {
            findings.push_back({fmt::format("the lists of a fold cannot be read ({})", error.what()), path, rewritten});
        }
    }
    for (const std::string& digest : data_digests) {
        const std::string path = fmt::format("{}/catalogues/{}.jsonl", places.work, digest);
        if (!fs::exists(path)) findings.push_back({"a catalogue of records is not there", path, rewritten});
    }
    return findings;
}

std::vector<Finding> check_checkpoints(const ReadStore& store, const Places& places, const Checkup& checkup) {
    std::vector<Finding> findings;
    if (checkup.is_served) return findings;
    const auto saved = store.ask(
        "SELECT a.job_id, a.folder, a.checkpoint_digest, a.checkpoint_epoch, max(a.attempt_id) FROM attempts AS a "
        "JOIN jobs AS j USING (job_id) WHERE j.state <> 'finished' AND a.checkpoint_digest IS NOT NULL "
        "AND a.outcome IS NOT 'invalid' AND a.origin IS NULL GROUP BY a.job_id ORDER BY a.job_id");
    for (const auto& row : saved.rows) {
        const std::string folder = places.work + "/" + as_text(row[1]);
        const std::string path = folder + "/" + kCheckpointFile;
        const std::string name = fmt::format("the checkpoint of job {} after epoch {}", as_integer(row[0]).value_or(0),
                                             as_integer(row[3]).value_or(0));
        const std::string fallback = fs::exists(folder + "/" + kPreviousCheckpointFile)
                                         ? "the job goes on from the checkpoint before"
                                         : "the job goes on from an older attempt's, or trains anew";
        if (!fs::exists(path))
            findings.push_back({name + " is not there", path, "put it back, or " + fallback});
        else if (!checkup.is_quick && !is_whole_checkpoint(path, as_text(row[2])))
            findings.push_back({name + " is damaged", path, "remove it: " + fallback, Remedy::kRemove, {}, path});
    }
    return findings;
}

std::vector<Finding> check_orphans(const ReadStore& store, const Places& places, const Checkup& checkup) {
    std::vector<Finding> findings;
    if (checkup.is_served) return findings;
    std::set<std::string> known;
    for (const auto& row : store.ask("SELECT folder FROM attempts").rows) known.insert(as_text(row[0]));
    std::set<std::string> useless;  // another attempt has the result: their checkpoints help nobody
    for (const auto& row : store
                               .ask("SELECT a.folder FROM attempts AS a JOIN jobs AS j USING (job_id) WHERE a.outcome "
                                    "NOT IN ('finished', 'invalid') AND j.state = 'finished'")
                               .rows)
        useless.insert(as_text(row[0]));
    // A work folder that was named may belong to several databases: only in its own is what is not known an orphan.
    const bool is_own = places.work == places.db + ".files";
    const auto is_digits = [](const std::string& name, const char* digits) {
        return !name.empty() && name.find_first_not_of(digits) == std::string::npos;
    };
    std::error_code error;
    for (const auto& key : fs::directory_iterator(places.work, error)) {
        const std::string key_name = key.path().filename().string();
        if (key_name.size() != 64 || !is_digits(key_name, "0123456789abcdef")) continue;
        for (const auto& attempt : fs::directory_iterator(key.path(), error)) {
            const std::string folder = key_name + "/" + attempt.path().filename().string();
            const std::string path = attempt.path().string();
            if (!is_digits(attempt.path().filename().string(), "0123456789")) continue;
            if (useless.contains(folder))
                findings.push_back({"a folder of an attempt whose job is finished by another",
                                    path,
                                    "remove it",
                                    Remedy::kRemove,
                                    {},
                                    path});
            else if (!known.contains(folder))
                findings.push_back(
                    {"a folder of no attempt of this database",
                     path,
                     is_own ? "remove it" : "another database may use this work folder: remove it by hand",
                     is_own ? Remedy::kRemove : Remedy::kNone,
                     {},
                     is_own ? path : ""});
        }
    }
    for (const auto& entry : fs::recursive_directory_iterator(places.work, error))
        if (entry.is_regular_file(error) && is_temporary(entry.path().filename().string()))
            findings.push_back({"a file that was never finished",
                                entry.path().string(),
                                "remove it",
                                Remedy::kRemove,
                                {},
                                entry.path().string()});
    return findings;
}

}  // namespace leadsweep

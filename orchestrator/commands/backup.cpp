#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/asking.hpp"
#include "orchestrator/commands/command.hpp"
#include "orchestrator/control/request_folder.hpp"
#include "orchestrator/store/inspection.hpp"
#include "orchestrator/store/read_store.hpp"
#include "orchestrator/store/result_store.hpp"
#include "shared/core/files.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

constexpr double kCopyTimeout_s = 3600;

struct BackupOptions {
    std::string file;
    bool is_forced = false;
    Places places;
};

/// A copy that is removed unless it was moved to its place.
struct PartialCopy {
    explicit PartialCopy(std::string where) : path(std::move(where)) {}
    ~PartialCopy() {
        std::error_code ignored;
        fs::remove(path, ignored);
    }
    PartialCopy(const PartialCopy&) = delete;
    PartialCopy& operator=(const PartialCopy&) = delete;
    std::string path;
};

void require_free_name(const BackupOptions& options, const std::string& file, const std::string& db) {
    std::error_code error;
    if (file == db || fs::equivalent(file, db, error))
        throw InputError(fmt::format("{}: this is the database itself; name another file", file));
    if (fs::is_directory(file, error)) throw InputError(fmt::format("{}: this is a folder; name a file in it", file));
    if (fs::exists(file, error) && !options.is_forced)
        throw InputError(
            fmt::format("{}: there is such a file already; name another one, or overwrite it with --force", file));
}

/// Moves the copy to its place whole, also to another file system.
void move_to(const std::string& copy, const std::string& file) {
    std::error_code error;
    fs::rename(copy, file, error);
    if (error) {
        const PartialCopy beside(fmt::format("{}.tmp.{}", file, ::getpid()));
        fs::copy_file(copy, beside.path, fs::copy_options::overwrite_existing, error);
        if (error) throw FileError(beside.path, error.value(), "copy");
        sync_file(beside.path);
        fs::rename(beside.path, file, error);
        if (error) throw FileError(file, error.value(), "rename the finished file into place");
    }
    sync_folder(fs::path(file).parent_path());
}

int back_up(const BackupOptions& options) {
    const std::string db = resolve_places(options.places).db;
    const std::string file = fs::absolute(options.file).lexically_normal().string();
    require_free_name(options, file, db);
    require_writable_folder(fs::path(file).parent_path());
    // The coordinator may run on another node: it writes where both can see it.
    make_control_folder(control_folder(db));
    const PartialCopy copy(fmt::format("{}/{}-{}.copy", control_folder(db), host_name(), ::getpid()));
    if (!ask_running<BackupReply>(db, BackupRequest{copy.path}, kCopyTimeout_s))
        ResultStore::open(db, {OpenMode::kExisting, {}}).write_copy(copy.path);
    const auto problems = quick_check(copy.path);
    if (!problems.empty())
        throw InputError(
            fmt::format("{}: the copy is damaged, as its original may be ({}); look at it with `leadsweep "
                        "doctor`",
                        db, problems.front()));
    move_to(copy.path, file);
    const ReadStore store = ReadStore::open(file);
    const auto row = store.ask("SELECT count(*), coalesce(sum(state = 'finished'), 0) FROM jobs").rows.at(0);
    fmt::print("{}: {:.1f} MB, {} jobs, {} results, checked\n", file, static_cast<double>(fs::file_size(file)) / 1e6,
               as_integer(row[0]).value_or(0), as_integer(row[1]).value_or(0));
    return kExitDone;
}

}  // namespace

void add_backup_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<BackupOptions>();
    CLI::App* command = app.add_subcommand("backup", "a checked copy of the database, also while a sweep writes");
    command->add_option("FILE", options->file, "where the copy goes")->required();
    command->add_flag("--force", options->is_forced, "overwrite FILE");
    add_place_options(*command, options->places);
    command->footer(
        "The copy holds all rows; checkpoints and artefacts stay in the work folder.\n"
        "Example:\n  leadsweep backup $HOME/leadsweep-2026-01-31.sqlite");
    command->callback([options, &exit_code] { exit_code = back_up(*options); });
}

}  // namespace leadsweep

#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/shard.hpp"
#include "orchestrator/store/result_store.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/files.hpp"

namespace leadsweep {
namespace {

namespace fs = std::filesystem;

struct MergeOptions {
    std::vector<std::string> parts;
    std::int64_t shards = 0;
    Places places;
};

/// A link where both lie on one file system, else a copy; whole or not at all.
void bring(const fs::path& from, const fs::path& to) {
    std::error_code error;
    if (fs::equivalent(from, to, error)) return;
    if (!fs::exists(from))
        throw InputError(fmt::format(
            "{}: this file of a result is not there; nothing was merged. See what is missing with `leadsweep "
            "doctor --db ...` on its database, bring it back or run `doctor --repair`, and merge again",
            from.string()));
    fs::create_directories(to.parent_path());
    const fs::path partial = fmt::format("{}.tmp.{}", to.string(), ::getpid());
    fs::remove(partial, error);
    fs::create_hard_link(from, partial, error);
    if (error) {
        fs::copy_file(from, partial, fs::copy_options::overwrite_existing, error);
        if (error) throw FileError(partial.string(), error.value(), "copy");
        sync_file(partial);
    }
    fs::rename(partial, to, error);
    if (error) throw FileError(to.string(), error.value(), "rename the finished file into place");
    sync_folder(to.parent_path());
}

int merge(const MergeOptions& options) {
    const Places places = resolve_places(options.places);
    std::vector<std::string> parts;
    for (const std::string& part : options.parts) parts.push_back(fs::absolute(part).lexically_normal().string());
    for (std::int64_t i = 1; i <= options.shards; ++i)
        parts.push_back(
            database_of_shard(places.db, {static_cast<std::size_t>(i), static_cast<std::size_t>(options.shards)}));
    if (parts.empty()) throw InputError("merge what? name databases, or the parts of a sweep by --shards N");
    std::vector<std::string> problems;
    std::error_code ignored;
    for (const std::string& part : parts) {
        if (!fs::exists(part))
            problems.push_back(fmt::format("{}: there is no such database; has this part been run?", part));
        else if (fs::equivalent(part, places.db, ignored))
            problems.push_back(fmt::format("{}: a database cannot be merged into itself", part));
    }
    if (!problems.empty()) throw InputError(problems);
    require_writable_folder(fs::path(places.db).parent_path());
    require_writable_folder(places.work);
    ResultStore store = ResultStore::open(places.db);
    store.requeue_running();
    for (const std::string& part : parts) {
        // Of its own, unless --work named one for all.
        const std::string files = fs::exists(part + ".files") ? part + ".files" : places.work;
        const MergeReport report = store.merge_from(part, [&](const std::string& from, const std::string& to) {
            bring(files + "/" + from, places.work + "/" + to);
        });
        fmt::print("{}: {} results, {} attempts, {} jobs are new{}\n", part, report.results, report.attempts,
                   report.jobs,
                   report.results_twice ? fmt::format("; {} results were here already", report.results_twice) : "");
    }
    return kExitDone;
}

}  // namespace

void add_merge_command(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<MergeOptions>();
    CLI::App* command = app.add_subcommand("merge", "join databases into one: shards, or several sweeps");
    command->add_option("PART", options->parts, "databases that are joined into --db");
    command->add_option("--shards", options->shards, "join the N databases that `run --shard i/N` made")
        ->check(CLI::Range(2, 10000));
    add_place_options(*command, options->places);
    command->footer(
        "Each result is joined once, however often a part is merged; the parts stay as they are. The files of a part "
        "are\n"
        "taken from `<part>.files`.\n"
        "Examples:\n  leadsweep merge --shards 4 --db results/out/study.sqlite\n"
        "  leadsweep merge monday.sqlite tuesday.sqlite --db both.sqlite");
    command->callback([options, &exit_code] { exit_code = merge(*options); });
}

}  // namespace leadsweep

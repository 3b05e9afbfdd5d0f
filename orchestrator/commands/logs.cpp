#include <algorithm>
#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "orchestrator/commands/log_piece.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr std::int64_t kBlock = 1 << 16;

void print_piece(const LogPiece& piece, std::int64_t tail) {
    std::ifstream file(piece.path, std::ios::binary);
    if (!file) throw FileError(piece.path, errno, "open for reading");
    std::int64_t at = tail > 0 ? start_of_tail(piece, tail) : piece.begin;
    file.clear();
    file.seekg(at);
    std::string block;
    while (at < piece.end && file) {
        block.resize(static_cast<std::size_t>(std::min(kBlock, piece.end - at)));
        file.read(block.data(), static_cast<std::streamsize>(block.size()));
        std::fwrite(block.data(), 1, static_cast<std::size_t>(file.gcount()), stdout);
        at += file.gcount();
    }
}

}  // namespace

void add_logs_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string name;
        std::int64_t attempt = 0;
        std::int64_t tail = 0;
        Places places;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("logs", "what the worker wrote while it ran a job");
    command->add_option("JOB", options->name, "id, beginning of its key, or words of its label")->required();
    command->add_option("--attempt", options->attempt, "this attempt [the latest]")->check(CLI::PositiveNumber);
    command->add_option("--tail", options->tail, "only so many lines from the end")->check(CLI::PositiveNumber);
    add_place_options(*command, options->places);
    command->footer(
        "Examples:\n  leadsweep logs 17\n  leadsweep logs \"fold 2, loss bce\" --tail 20\n"
        "  leadsweep logs 17 --attempt 1003");
    command->callback([options, &exit_code] {
        const Places places = resolve_places(options->places);
        const ReadStore store = ReadStore::open(places.db);
        const NamedJob job = find_job(store, options->name);
        const LogPiece piece = find_log(store, places, static_cast<std::int64_t>(job.id.value), options->attempt);
        fmt::print(stderr, "attempt {} on {}: {}, bytes {} to {}{}\n", piece.attempt, piece.node, piece.path,
                   piece.begin, piece.end, piece.begin == piece.end ? " (it wrote nothing)" : "");
        print_piece(piece, options->tail);
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

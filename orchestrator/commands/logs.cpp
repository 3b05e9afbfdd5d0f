#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/commands/job_names.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr std::int64_t kBlock = 1 << 16;

/// The part of a worker's log that one attempt wrote.
struct LogPiece {
    std::int64_t attempt = 0;
    std::string node;
    std::string path;
    std::int64_t begin = 0;
    std::int64_t end = 0;  ///< of the attempt; the file's for one that runs
};

LogPiece piece_of(const ReadStore& store, const Places& places, const NamedJob& job, std::int64_t attempt) {
    const auto rows = store
                          .ask(
                              "SELECT attempt_id, node, log_path, log_offset, log_length FROM attempts WHERE job_id = "
                              "?1 AND (?2 = 0 OR attempt_id = ?2) ORDER BY attempt_id DESC LIMIT 1",
                              {static_cast<std::int64_t>(job.id.value), attempt})
                          .rows;
    if (rows.empty())
        throw InputError(attempt == 0 ? fmt::format("job {} has not been started: it has no log", job.id.value)
                                      : fmt::format("job {} has no attempt {}; `leadsweep why {}` lists them",
                                                    job.id.value, attempt, job.id.value));
    const auto& row = rows[0];
    LogPiece piece{as_integer(row[0]).value_or(0), as_text(row[1]), as_text(row[2]), as_integer(row[3]).value_or(0), 0};
    std::error_code error;
    // The same path on another node's scratch is another file.
    const bool is_here = piece.node == host_name() || piece.path.starts_with(places.work + "/");
    if (!is_here || !std::filesystem::is_regular_file(piece.path, error))
        throw InputError(fmt::format("the log of attempt {} is {} on node {}{}", piece.attempt,
                                     piece.path.empty() ? "not known" : piece.path, piece.node,
                                     piece.node == host_name() ? ", and no longer there" : "; read it there"));
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(piece.path));
    const auto length = as_integer(row[4]);
    piece.begin = std::min(piece.begin, size);
    piece.end = length ? std::min(size, piece.begin + *length) : size;
    return piece;
}

/// Where the last `lines` lines begin.
std::int64_t start_of_tail(std::ifstream& file, const LogPiece& piece, std::int64_t lines) {
    std::int64_t seen = 0;
    std::string block;
    for (std::int64_t end = piece.end; end > piece.begin;) {
        const std::int64_t begin = std::max(piece.begin, end - kBlock);
        block.resize(static_cast<std::size_t>(end - begin));
        file.seekg(begin);
        file.read(block.data(), end - begin);
        for (auto at = static_cast<std::int64_t>(block.size()) - 1; at >= 0; --at) {
            const bool is_last_character = begin + at == piece.end - 1;
            if (block[static_cast<std::size_t>(at)] == '\n' && !is_last_character && ++seen == lines)
                return begin + at + 1;
        }
        end = begin;
    }
    return piece.begin;
}

void print_piece(const LogPiece& piece, std::int64_t tail) {
    std::ifstream file(piece.path, std::ios::binary);
    if (!file) throw FileError(piece.path, errno, "open for reading");
    std::int64_t at = tail > 0 ? start_of_tail(file, piece, tail) : piece.begin;
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
        const LogPiece piece = piece_of(store, places, find_job(store, options->name), options->attempt);
        fmt::print(stderr, "attempt {} on {}: {}, bytes {} to {}{}\n", piece.attempt, piece.node, piece.path,
                   piece.begin, piece.end, piece.begin == piece.end ? " (it wrote nothing)" : "");
        print_piece(piece, options->tail);
        exit_code = kExitDone;
    });
}

}  // namespace leadsweep

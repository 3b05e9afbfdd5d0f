#include "orchestrator/commands/log_piece.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "shared/core/errors.hpp"

namespace leadsweep {
namespace {

constexpr std::int64_t kBlock = 1 << 16;

std::ifstream open_log(const LogPiece& piece) {
    std::ifstream file(piece.path, std::ios::binary);
    if (!file) throw FileError(piece.path, errno, "open for reading");
    return file;
}

}  // namespace

LogPiece find_log(const ReadStore& store, const Places& places, std::int64_t job_id, std::int64_t attempt) {
    const auto rows = store
                          .ask(
                              "SELECT attempt_id, node, log_path, log_offset, log_length FROM attempts WHERE job_id = "
                              "?1 AND (?2 = 0 OR attempt_id = ?2) ORDER BY attempt_id DESC LIMIT 1",
                              {job_id, attempt})
                          .rows;
    if (rows.empty())
        throw InputError(attempt == 0 ? fmt::format("job {} has not been started: it has no log", job_id)
                                      : fmt::format("job {} has no attempt {}; `leadsweep why {}` lists them", job_id,
                                                    attempt, job_id));
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

std::int64_t start_of_tail(const LogPiece& piece, std::int64_t lines) {
    std::ifstream file = open_log(piece);
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

std::string log_tail(const LogPiece& piece, std::int64_t lines, std::int64_t most_bytes) {
    const std::int64_t begin = std::max(start_of_tail(piece, lines), piece.end - most_bytes);
    std::ifstream file = open_log(piece);
    file.seekg(begin);
    std::string text(static_cast<std::size_t>(piece.end - begin), '\0');
    file.read(text.data(), piece.end - begin);
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

}  // namespace leadsweep

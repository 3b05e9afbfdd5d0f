// The part of a worker's log that one attempt wrote, where it can be read from here.
#pragma once

#include <cstdint>
#include <string>

#include "orchestrator/commands/command.hpp"
#include "orchestrator/store/read_store.hpp"

namespace leadsweep {

struct LogPiece {
    std::int64_t attempt = 0;
    std::string node;
    std::string path;
    std::int64_t begin = 0;
    std::int64_t end = 0;  ///< of the attempt; the file's for one that runs
};

/// Of the job's attempt; 0: the latest. Throws InputError where there is none, or its log is on another node or gone.
LogPiece find_log(const ReadStore& store, const Places& places, std::int64_t job_id, std::int64_t attempt);

/// Where the last `lines` lines of the piece begin. Throws FileError.
std::int64_t start_of_tail(const LogPiece& piece, std::int64_t lines);

/// The last lines, at most `most_bytes` of them. Throws FileError.
std::string log_tail(const LogPiece& piece, std::int64_t lines, std::int64_t most_bytes);

}  // namespace leadsweep

// Shows a running sweep on stderr: one bar with the time left and a line per running job on a terminal, plain lines
// elsewhere. Shows what it is told and decides nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/job/job_state.hpp"
#include "shared/protocol/messages.hpp"

namespace leadsweep {

/// One running attempt.
struct RunningJob {
    std::string label;  ///< "fold 2, loss bce, sampling_hz 100"
    std::string worker;
    double started_s = 0;
    Progress latest;
};

struct SweepProgress {
    std::string sweep;
    std::size_t jobs = 0;      ///< of this run: without those that were done before
    std::size_t finished = 0;  ///< durable
    std::size_t failed = 0;    ///< failed, invalid, cancelled
    std::size_t workers = 0;
    double elapsed_s = 0;
    std::map<AttemptId, RunningJob> running;
};

/// Part of a job that is behind it, from 0 to 1: epochs, then the explanation.
double fraction_done(const RunningJob& job);

/// Time left, from the work done so far; nothing before there is any.
std::optional<double> estimate_remaining_s(const SweepProgress& progress);

class ProgressView {
public:
    virtual ~ProgressView() = default;
    /// Call as often as you like; redraws at most 5 times a second (terminal) or every 10 s (plain).
    virtual void show(const SweepProgress& progress, double now_s) = 0;
    /// A message that stays.
    virtual void say(const std::string& text) = 0;
    /// Last state; leaves the terminal clean.
    virtual void end(const SweepProgress& progress) = 0;
};

/// The view that suits stderr; `is_quiet` shows only messages that stay.
std::unique_ptr<ProgressView> make_progress_view(bool is_quiet);

/// The lines of the terminal view, without control characters.
std::vector<std::string> render_progress(const SweepProgress& progress, int columns, double now_s);

}  // namespace leadsweep

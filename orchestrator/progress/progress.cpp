#include "orchestrator/progress/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr int kBarWidth = 30;
constexpr std::size_t kMostLines = 16;
/// Share of a job's time that training takes, roughly; the rest is testing and explaining.
constexpr double kTrainingShare = 0.85;

std::string bar(double fraction) {
    const int full = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * kBarWidth));
    std::string text;
    for (int i = 0; i < kBarWidth; ++i) text += i < full ? "█" : "░";
    return text;
}

std::string headline(const SweepProgress& p) {
    const std::size_t ended = p.finished + p.failed;
    double done = static_cast<double>(ended);
    for (const auto& [id, job] : p.running) done += fraction_done(job);
    const double fraction = p.jobs == 0 ? 1 : done / static_cast<double>(p.jobs);
    const auto left = estimate_remaining_s(p);
    return fmt::format("{} {} {}/{} jobs{}, {} running on {} workers, {} gone{}", p.sweep, bar(fraction), ended, p.jobs,
                       p.failed ? fmt::format(" ({} failed)", p.failed) : "", p.running.size(), p.workers,
                       show_duration(p.elapsed_s), left ? fmt::format(", about {} left", show_duration(*left)) : "");
}

std::string job_line(const RunningJob& job, double now_s) {
    const Progress& p = job.latest;
    std::string text = fmt::format("  {:<46} {:<10}", job.label, p.phase);
    if (p.epochs > 0) text += fmt::format(" epoch {}/{}", p.epoch, p.epochs);
    if (p.fraction > 0) text += fmt::format(" {:3.0f}%", 100 * p.fraction);
    if (p.phase == "training" && p.loss > 0) text += fmt::format("  loss {:.4f}", p.loss);
    if (p.records_per_s > 0) text += fmt::format("  {:.0f} records/s", p.records_per_s);
    return text + fmt::format("  {}", show_duration(now_s - job.started_s));
}

class TerminalView : public ProgressView {
public:
    void show(const SweepProgress& progress, double now_s) override {
        if (now_s - last_drawn_s_ < 0.2) return;
        last_drawn_s_ = now_s;
        winsize size{};
        const int columns = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
        std::string text = erased();
        const auto lines = render_progress(progress, columns, now_s);
        for (const auto& line : lines) text += line + "\n";
        drawn_ = lines.size();
        std::fputs(text.c_str(), stderr);
    }
    void say(const std::string& text) override {
        std::fputs((erased() + text + "\n").c_str(), stderr);
        drawn_ = 0;
        last_drawn_s_ = 0;
    }
    void end(const SweepProgress&) override {
        std::fputs(erased().c_str(), stderr);
        drawn_ = 0;
    }

private:
    /// Control sequence that takes away what was drawn.
    std::string erased() const { return drawn_ == 0 ? "" : fmt::format("\033[{}A\033[J", drawn_); }

    std::size_t drawn_ = 0;
    double last_drawn_s_ = 0;
};

class PlainView : public ProgressView {
public:
    explicit PlainView(bool is_quiet) : is_quiet_(is_quiet) {}
    void show(const SweepProgress& progress, double now_s) override {
        if (is_quiet_ || now_s - last_shown_s_ < 10) return;
        if (last_shown_s_ > 0) {
            log::info("{}", headline(progress));
            for (const auto& [id, job] : progress.running) log::info("{}", job_line(job, now_s));
        }
        last_shown_s_ = now_s;
    }
    void say(const std::string& text) override { log::info("{}", text); }
    void end(const SweepProgress&) override {}

private:
    bool is_quiet_;
    double last_shown_s_ = 0;
};

}  // namespace

double fraction_done(const RunningJob& job) {
    const Progress& p = job.latest;
    if (p.phase == "explaining") return kTrainingShare + (1 - kTrainingShare) * p.fraction;
    if (p.phase == "testing") return kTrainingShare;
    if (p.epochs <= 0 || p.epoch <= 0) return 0;
    const double within = p.phase == "validating" ? 1.0 : p.fraction;
    return kTrainingShare * std::min(1.0, (static_cast<double>(p.epoch - 1) + within) / static_cast<double>(p.epochs));
}

std::optional<double> estimate_remaining_s(const SweepProgress& progress) {
    double done = static_cast<double>(progress.finished + progress.failed);
    for (const auto& [id, job] : progress.running) done += fraction_done(job);
    if (done <= 0 || progress.elapsed_s <= 0) return std::nullopt;
    return progress.elapsed_s * std::max(0.0, static_cast<double>(progress.jobs) - done) / done;
}

std::vector<std::string> render_progress(const SweepProgress& progress, int columns, double now_s) {
    std::vector<std::string> lines{headline(progress)};
    for (const auto& [id, job] : progress.running) {
        if (lines.size() == kMostLines) {
            lines.push_back(fmt::format("  and {} more", progress.running.size() + 1 - kMostLines));
            break;
        }
        std::string line = job_line(job, now_s);
        if (line.size() >= static_cast<std::size_t>(columns)) line.resize(static_cast<std::size_t>(columns - 1));
        lines.push_back(line);
    }
    return lines;
}

std::unique_ptr<ProgressView> make_progress_view(bool is_quiet) {
    if (!is_quiet && ::isatty(STDERR_FILENO) != 0) return std::make_unique<TerminalView>();
    return std::make_unique<PlainView>(is_quiet);
}

}  // namespace leadsweep

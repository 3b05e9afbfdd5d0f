#include "orchestrator/slurm/controller.hpp"

#include <algorithm>
#include <cstdlib>
#include <regex>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "orchestrator/slurm/external_program.hpp"
#include "shared/core/errors.hpp"
#include "shared/core/log.hpp"
#include "shared/core/text.hpp"

namespace leadsweep {
namespace {

constexpr std::chrono::seconds kPatience{60};       ///< a busy controller makes its clients wait
constexpr std::chrono::seconds kShortPatience{10};  ///< for what is only shown

ProgramEnd require_program(const std::vector<std::string>& arguments) {
    auto end = run_external_program(arguments, kPatience);
    if (!end)
        throw InputError(
            fmt::format("{} is not found: this machine has no Slurm. Submit from a login node of the cluster, or run "
                        "here with `leadsweep run`; `submit --dry-run` shows the script",
                        arguments.front()));
    if (end->code != 0)
        throw InputError(
            fmt::format("{} refuses: {}", arguments.front(), trim(end->err.empty() ? end->out : end->err)));
    return *end;
}

std::string word_after(const std::string& text, const std::string& key) {
    std::smatch found;
    if (!std::regex_search(text, found, std::regex("(?:^|\\s)" + key + "(\\S+)"))) return "";
    return found[1].str();
}

/// Seconds of "1-02:03:04" or "02:03:04"; nothing for "UNLIMITED" and the like.
std::optional<double> seconds_of(const std::string& text) {
    std::smatch part;
    if (!std::regex_match(text, part, std::regex(R"((?:(\d+)-)?(\d+):(\d+):(\d+))"))) return std::nullopt;
    const double days = part[1].matched ? std::stod(part[1].str()) : 0;
    return ((days * 24 + std::stod(part[2].str())) * 60 + std::stod(part[3].str())) * 60 + std::stod(part[4].str());
}

std::optional<std::time_t> local_time_of(const std::string& text) {
    std::tm broken{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &broken);
    if (!end || *end) return std::nullopt;
    broken.tm_isdst = -1;
    return std::mktime(&broken);
}

}  // namespace

ExpectedStart test_submission(const std::string& script_path) {
    const ProgramEnd end = require_program({"sbatch", "--test-only", script_path});
    const std::string words(trim(end.err + end.out));
    return {words, word_after(words, "to start at ")};
}

std::string submit_script(const std::string& script_path) {
    const std::string answer(trim(require_program({"sbatch", "--parsable", script_path}).out));
    const std::string id = answer.substr(0, answer.find(';'));  // "id;cluster"
    if (id.empty() || id.find_first_not_of("0123456789") != std::string::npos)
        throw InputError(fmt::format("sbatch answered '{}' instead of a job's number: look at `squeue --me`", answer));
    return id;
}

std::optional<std::vector<QueuedJob>> queued_jobs(const std::vector<std::string>& ids) {
    std::vector<QueuedJob> jobs;
    if (ids.empty()) return jobs;
    std::optional<ProgramEnd> end;
    try {
        end = run_external_program({"squeue", "--me", "--noheader", "--format=%F|%i|%T|%r|%S|%L|%N"}, kShortPatience);
    } catch (const Error&) {
        return std::nullopt;
    }
    if (!end || end->code != 0) return std::nullopt;
    for (const std::string& line : split(end->out, '\n')) {
        const auto fields = split(line, '|');
        if (fields.size() != 7 || std::find(ids.begin(), ids.end(), fields[0]) == ids.end()) continue;
        jobs.push_back({fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6]});
    }
    return jobs;
}

void cancel_slurm_jobs(const std::vector<std::string>& ids) {
    std::vector<std::string> command{"scancel"};
    command.insert(command.end(), ids.begin(), ids.end());
    (void)require_program(command);
}

JobEnvironment job_environment() {
    JobEnvironment environment;
    for (const char* name : {"SLURM_JOB_ID", "SLURM_JOB_END_TIME", "SLURM_JOB_START_TIME", "LEADSWEEP_JOB_STARTED"})
        if (const char* value = std::getenv(name)) environment[name] = value;
    return environment;
}

std::optional<double> time_left(const JobEnvironment& environment, const std::string& job, std::time_t now) {
    const auto number = [&](const char* name) -> std::optional<double> {
        const auto found = environment.find(name);
        if (found == environment.end()) return std::nullopt;
        const double value = std::strtod(found->second.c_str(), nullptr);
        return value > 0 ? std::optional(value) : std::nullopt;
    };
    const auto here = static_cast<double>(now);
    auto end = number("SLURM_JOB_END_TIME");
    auto limit =
        end && number("SLURM_JOB_START_TIME") ? std::optional(*end - *number("SLURM_JOB_START_TIME")) : std::nullopt;
    if (const auto told = local_time_of(word_after(job, "EndTime="))) end = static_cast<double>(*told);
    if (const auto told = seconds_of(word_after(job, "TimeLimit="))) limit = told;
    std::optional<double> left;
    if (end) left = *end - here;
    if (const auto started = number("LEADSWEEP_JOB_STARTED"); limit && started)
        left = std::min(left.value_or(*limit), *limit - (here - *started));
    if (!left) return std::nullopt;
    return std::max(1.0, *left);
}

std::optional<double> time_left_of_allocation() {
    const JobEnvironment environment = job_environment();
    const auto id = environment.find("SLURM_JOB_ID");
    if (id == environment.end()) return std::nullopt;
    std::string job;
    if (!environment.contains("SLURM_JOB_END_TIME")) {
        try {
            const auto end = run_external_program({"scontrol", "show", "job", "-o", id->second}, kPatience);
            if (end && end->code == 0)
                job = end->out;
            else
                log::warning("Slurm does not tell when this allocation ends ({}): its signal ends the sweep in time",
                             end ? trim(end->err) : "scontrol is not found");
        } catch (const Error& error) {
            log::warning("{}: Slurm's signal ends the sweep in time", error.what());
        }
    }
    return time_left(environment, job, std::time(nullptr));
}

}  // namespace leadsweep

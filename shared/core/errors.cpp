#include "shared/core/errors.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace leadsweep {
namespace {

constexpr std::array<std::pair<FailureClass, std::string_view>, 10> kFailureNames{{
    {FailureClass::kCrashed, "crashed"},
    {FailureClass::kKilled, "killed"},
    {FailureClass::kOomHost, "oom_host"},
    {FailureClass::kOomDevice, "oom_device"},
    {FailureClass::kHung, "hung"},
    {FailureClass::kNodeLost, "node_lost"},
    {FailureClass::kDiverged, "diverged"},
    {FailureClass::kInvalid, "invalid"},
    {FailureClass::kCancelled, "cancelled"},
    {FailureClass::kInterrupted, "interrupted"},
}};

bool is_disk_full(int error_number) {
    return error_number == ENOSPC || error_number == EDQUOT;
}

}  // namespace

std::string_view to_string(FailureClass failure) {
    for (const auto& [value, name] : kFailureNames)
        if (value == failure) return name;
    throw std::logic_error("unnamed failure class");
}

std::optional<FailureClass> failure_class_from(std::string_view name) {
    for (const auto& [value, known] : kFailureNames)
        if (known == name) return value;
    return std::nullopt;
}

bool counts_against_job(FailureClass failure) {
    return failure != FailureClass::kNodeLost && failure != FailureClass::kCancelled &&
           failure != FailureClass::kInterrupted;
}

InputError::InputError(std::string problem) : InputError(std::vector<std::string>{std::move(problem)}) {}

InputError::InputError(std::vector<std::string> problems)
    : Error(fmt::format("{}", fmt::join(problems, "\n"))), problems_(std::move(problems)) {}

FileError::FileError(std::string path, int error_number, const std::string& what_was_done)
    : Error(fmt::format("{}: cannot {}: {}{}", path, what_was_done, std::strerror(error_number),
                        is_disk_full(error_number) ? "; free some space there and start again" : "")),
      path_(std::move(path)),
      error_number_(error_number) {}

ExitCode FileError::exit_code() const {
    return is_disk_full(error_number_) || error_number_ == EIO ? kExitInterrupted : kExitBadInput;
}

}  // namespace leadsweep

// Typed errors that carry their fields, and the classes under which a failed attempt is recorded.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace leadsweep {

/// Why an attempt failed. The names are stored in the database and sent on the wire: add, never rename.
enum class FailureClass {
    kCrashed,
    kKilled,
    kOomHost,
    kOomDevice,
    kHung,
    kNodeLost,
    kDiverged,
    kInvalid,
    kCancelled,
    kInterrupted
};

std::string_view to_string(FailureClass failure);
std::optional<FailureClass> failure_class_from(std::string_view name);

/// Whether an attempt that ended so is used up: node_lost, cancelled and interrupted never count against a job.
bool counts_against_job(FailureClass failure);

/// Process exit codes of both programs.
enum ExitCode { kExitDone = 0, kExitSomeFailed = 1, kExitBadInput = 2, kExitInterrupted = 3, kExitInternal = 4 };

/// Base of every error that is not a bug of ours. The message names the thing, what was found, what was expected and
/// what to do.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
    /// With which code a command ends that this error ends.
    virtual ExitCode exit_code() const { return kExitInternal; }
};

/// Input that cannot be used: sweep files, arguments, folders, records. Ends a command with exit code 2.
/// Holds every problem that was found, one a line in what().
class InputError : public Error {
public:
    explicit InputError(std::string problem);
    explicit InputError(std::vector<std::string> problems);
    const std::vector<std::string>& problems() const { return problems_; }
    ExitCode exit_code() const override { return kExitBadInput; }

private:
    std::vector<std::string> problems_;
};

/// A job that cannot go on; `failure` says under which class it is recorded.
class JobError : public Error {
public:
    JobError(FailureClass failure, const std::string& message) : Error(message), failure_(failure) {}
    FailureClass failure() const { return failure_; }

private:
    FailureClass failure_;
};

/// The operating system refused something: carries the path and errno. A full disk or one that fails can be put right,
/// and the same command goes on; everything else is taken for bad input.
class FileError : public Error {
public:
    FileError(std::string path, int error_number, const std::string& what_was_done);
    const std::string& path() const { return path_; }
    int error_number() const { return error_number_; }
    ExitCode exit_code() const override;

private:
    std::string path_;
    int error_number_;
};

/// Something from outside ended what was going on: nothing is lost, and the same command goes on.
class InterruptedError : public Error {
public:
    using Error::Error;
    ExitCode exit_code() const override { return kExitInterrupted; }
};

/// Bytes from another process that are no message of this protocol.
class ProtocolError : public Error {
public:
    using Error::Error;
};

}  // namespace leadsweep

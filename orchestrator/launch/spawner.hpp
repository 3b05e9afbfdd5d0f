// Starts and reaps every child process. A tiny process of its own, forked before MPI and before any thread, because
// fork after MPI_Init corrupts memory with some networks. When this process goes, however, the spawner kills what it
// started.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <sys/types.h>

#include "shared/core/descriptor.hpp"
#include "shared/core/errors.hpp"

namespace leadsweep {

struct SpawnRequest {
    std::vector<std::string> arguments;  ///< [0] is the program's path
    std::map<std::string, std::string>
        environment;          ///< set in addition to this process's; launcher variables are removed
    std::string output_path;  ///< stdout and stderr are appended here
    bool has_pipes = false;   ///< the child's descriptor 3 reads commands, its descriptor 4 writes facts
};

struct Child {
    pid_t pid = 0;
    UniqueDescriptor commands;  ///< write end, non-blocking
    UniqueDescriptor facts;     ///< read end, non-blocking
};

struct ChildExit {
    pid_t pid = 0;
    int code = 0;    ///< exit code where it exited
    int signal = 0;  ///< signal where it was killed
};

/// Thread-safe but for take_exits(), which is one thread's.
class Spawner {
public:
    /// Forks. Call before MPI_Init and before any thread. Throws FileError.
    Spawner();
    /// Kills all children that still run, and a spawner that does not end.
    ~Spawner();
    Spawner(const Spawner&) = delete;
    Spawner& operator=(const Spawner&) = delete;

    /// The child ignores SIGUSR1. Throws FileError where the program cannot be started; InterruptedError where the
    /// spawner itself is gone or does not answer.
    Child spawn(const SpawnRequest& request);
    /// Signals the child's process group, if the child was not reaped yet. By itself where the spawner is gone.
    void signal(pid_t pid, int signal_number);

    pid_t process() const { return pid_; }
    /// Readable when take_exits() has something.
    int descriptor() const { return exits_.get(); }
    /// Throws InterruptedError where the spawner is gone.
    std::vector<ChildExit> take_exits();

    /// Runs a program to its end. For single commands, where nobody else takes exits.
    ChildExit run(const SpawnRequest& request);

private:
    /// Sends a request and waits for its answer. Throws InterruptedError where none comes; from then on always.
    std::string ask(const std::string& request, std::vector<UniqueDescriptor>& descriptors);

    std::mutex mutex_;
    UniqueDescriptor requests_;
    UniqueDescriptor exits_;
    pid_t pid_ = 0;
    bool is_deaf_ = false;  ///< an answer was missed: the next one would be taken for another's
};

}  // namespace leadsweep

// Starts the real programs of this project, watches the processes they start, and ends all of them with the test. For
// tests only; it judges nothing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace leadsweep::e2e {

/// Where the programs lie: environment variable LEADSWEEP_BIN, else this build's.
std::string program_folder();
std::string leadsweep_program();
std::string fake_worker_program();
/// "" where this build has no worker that computes.
std::string real_worker_program();

/// How a program ended.
struct Outcome {
    int code = -1;   ///< exit code; -1 if a signal ended it
    int signal = 0;  ///< the signal that ended it; 0 if it exited
    std::string out;
    std::string err;
};

using Environment = std::map<std::string, std::string>;

/// A running program. It is killed with everything it started when this goes out of scope.
class Process {
public:
    /// stdout and stderr go to files `stem`.out and `stem`.err.
    Process(const std::vector<std::string>& arguments, const Environment& environment, const std::string& stem);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    bool is_running();
    void signal(int number) const;
    /// Waits for the end; throws std::runtime_error with what the program said if that takes longer.
    Outcome wait(double seconds = 60);
    std::string error_text() const;

private:
    std::string stem_;
    pid_t pid_ = -1;
    int status_ = 0;
    bool is_over_ = false;
};

/// Runs a program to its end.
Outcome run_program(const std::vector<std::string>& arguments, const Environment& environment, const std::string& stem,
                    double seconds = 60);

/// Live processes below `pid` whose program is called `name` ("" for all), its grandchildren included.
std::vector<pid_t> processes_below(pid_t pid, const std::string& name = "");

/// A file below /proc of a process, `stat` or `environ`; "" where it is gone.
std::string text_of_process(pid_t pid, const std::string& file);

/// Seconds of a processor that a live process has used.
double processor_seconds_of(pid_t pid);

/// The parent of a live process.
pid_t parent_of(pid_t pid);

/// Whether everything the test's programs started ends by itself within so many seconds.
bool all_processes_end(double seconds);

/// Asks again and again until `condition` holds or the time is over; gives what it gave last.
bool wait_until(double seconds, const std::function<bool()>& condition);

}  // namespace leadsweep::e2e

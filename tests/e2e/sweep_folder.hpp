// A folder with a sweep file, its database and everything else a sweep leaves, for one test; and the commands on it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/e2e/program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace leadsweep::e2e {

/// A sweep of no-op jobs over generated records: 3 folds of `seeds` configurations.
std::string fake_sweep(int seeds);

class SweepFolder {
public:
    /// `worker` is the worker program, the fake one where it is empty.
    explicit SweepFolder(std::string worker = "");

    /// Environment of every command from here on.
    Environment environment;

    std::string path(const std::string& name) const { return folder_ / name; }
    std::string db() const { return path("results.sqlite"); }
    /// Writes a file, by default the sweep file.
    void write(const std::string& text, const std::string& name = "sweep.yaml") const;
    std::string read(const std::string& name) const;

    /// leadsweep COMMAND with --db, --work, --scratch and --worker of this folder.
    std::vector<std::string> command(const std::vector<std::string>& arguments) const;
    /// leadsweep run sweep.yaml --quiet, with more arguments.
    std::vector<std::string> run_command(const std::vector<std::string>& more = {}) const;
    Outcome leadsweep(const std::vector<std::string>& arguments, double seconds = 60) const;
    Outcome run(const std::vector<std::string>& more = {}, double seconds = 60) const;

    /// The rows of an SQL question by way of `leadsweep query --format csv`, without the line of names.
    std::vector<std::string> ask(const std::string& sql) const;
    /// The single figure of a question.
    long count(const std::string& sql) const;
    /// How often each job was executed to its end, by key (LEADSWEEP_FAKE_TRACE).
    std::map<std::string, int> executions() const;

private:
    TemporaryFolder folder_;
    std::string worker_;
};

/// Six jobs that train a very small network on generated records; the first axis varies slowest.
std::string training_sweep(const std::string& axes = "loss: [bce, double_soft_f1], fold: all");

/// Whether `text` has all of `parts`; the missing ones are printed.
bool says(const std::string& text, const std::vector<std::string>& parts);

}  // namespace leadsweep::e2e

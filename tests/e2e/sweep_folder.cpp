#include "tests/e2e/sweep_folder.hpp"

#include <fstream>
#include <iostream>
#include <numeric>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shared/core/files.hpp"

namespace leadsweep::e2e {

std::string fake_sweep(int seeds) {
    std::vector<int> values(static_cast<std::size_t>(seeds));
    std::iota(values.begin(), values.end(), 1);
    return fmt::format(
        "name: fake\n"
        "data: {{synthetic: {{patients: 12, records_per_patient: 2}}}}\n"
        "folds: {{k: 3}}\n"
        "base: {{loss: bce}}\n"
        "axes: {{seed: [{}], fold: all}}\n",
        fmt::join(values, ", "));
}

std::string training_sweep(const std::string& axes) {
    return fmt::format(
        "name: tiny\n"
        "data:\n"
        "  synthetic: {{patients: 30, records_per_patient: 2, sampling_hz: 100, duration_s: 4, signs: [V2, II]}}\n"
        "  labels: synthetic\n"
        "  window_s: 4\n"
        "folds: {{k: 3}}\n"
        "base:\n"
        "  sampling_hz: 50\n"
        "  model:   {{depth: 2, filters: 4, bottleneck: 4, kernels: [9, 5, 3]}}\n"
        "  train:   {{epochs: 2, batch: 16}}\n"
        "  explain: {{method: lime, segments: 10, perturbations: 40, records_per_class: 2}}\n"
        "axes: {{{}}}\n",
        axes);
}

SweepFolder::SweepFolder(std::string worker) : worker_(worker.empty() ? fake_worker_program() : std::move(worker)) {
    environment["LEADSWEEP_FAKE_TRACE"] = path("trace");
}

void SweepFolder::write(const std::string& text, const std::string& name) const {
    std::ofstream(path(name), std::ios::binary) << text;
}

std::string SweepFolder::read(const std::string& name) const {
    return read_file(path(name));
}

std::vector<std::string> SweepFolder::command(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all{leadsweep_program()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const std::vector<std::string> places{"--db",          db(),       "--work", path("work"), "--scratch",
                                          path("scratch"), "--worker", worker_};
    all.insert(all.end(), places.begin(), places.end());
    return all;
}

std::vector<std::string> SweepFolder::run_command(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"run", path("sweep.yaml"), "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return command(arguments);
}

Outcome SweepFolder::leadsweep(const std::vector<std::string>& arguments, double seconds) const {
    return run_program(command(arguments), environment, path("command"), seconds);
}

Outcome SweepFolder::run(const std::vector<std::string>& more, double seconds) const {
    return run_program(run_command(more), environment, path("run"), seconds);
}

std::vector<std::string> SweepFolder::ask(const std::string& sql) const {
    const Outcome outcome = run_program(command({"query", sql, "--format", "csv"}), environment, path("query"), 30);
    if (outcome.code != 0) throw std::runtime_error(fmt::format("query {}: {}", sql, outcome.err));
    std::istringstream stream(outcome.out);
    std::vector<std::string> rows;
    std::string line;
    std::getline(stream, line);
    while (std::getline(stream, line)) rows.push_back(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
    return rows;
}

long SweepFolder::count(const std::string& sql) const {
    return std::stol(ask(sql).at(0));
}

std::map<std::string, int> SweepFolder::executions() const {
    std::ifstream stream(path("trace"));
    std::map<std::string, int> executions;
    std::string key;
    std::string attempt;
    while (stream >> key >> attempt) ++executions[key];
    return executions;
}

bool says(const std::string& text, const std::vector<std::string>& parts) {
    bool has_all = true;
    for (const auto& part : parts) {
        if (text.find(part) != std::string::npos) continue;
        std::cout << fmt::format("not said: \"{}\"\nbut: {}\n", part, text);
        has_all = false;
    }
    return has_all;
}

}  // namespace leadsweep::e2e

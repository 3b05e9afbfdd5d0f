// simulate: prints how the scheduler does on a simulated cluster. `simulate --help` lists what can be varied.
#include <map>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "shared/core/text.hpp"
#include "tests/simulation/simulation.hpp"

namespace {

std::map<int, double> parse_mix(const std::string& text) {
    std::map<int, double> mix;
    for (const std::string& part : leadsweep::split(text, ',')) {
        const auto pair = leadsweep::split(part, ':');
        if (pair.size() != 2) throw CLI::ValidationError("--mix", "expected devices:weight,..., found " + text);
        mix[std::stoi(pair[0])] = std::stod(pair[1]);
    }
    return mix;
}

void print(const leadsweep::SimulationSettings& settings, const leadsweep::SimulationReport& report) {
    fmt::print("cluster            {} nodes x {} devices, {} jobs, seed {}\n", settings.nodes,
               settings.devices_per_node, settings.jobs, settings.seed);
    fmt::print("makespan           {:.0f} s\n", report.makespan_s);
    fmt::print("lower bound        {:.0f} s = max(work / devices, longest job)\n", report.bound_s);
    fmt::print("bound / makespan   {:.3f}\n", report.bound_s / report.makespan_s);
    fmt::print("utilisation        {:.3f}\n", report.utilisation);
    fmt::print("jobs               {} finished, {} failed, {} ended twice\n", report.finished, report.failed,
               report.ended_twice);
    fmt::print("gangs              {} waited at the head of the queue, {} of them were delayed\n", report.gangs_held,
               report.gangs_delayed);
    fmt::print("decisions          {}, mean {:.2f} us, p99 {:.2f} us\n", report.decisions, report.mean_decision_us,
               report.p99_decision_us);
    fmt::print("scheduler's memory {:.0f} B a waiting job\n", report.bytes_per_job);
    fmt::print("peak memory        {:.0f} MiB, simulated cluster included\n", report.peak_rss_bytes / 1048576.0);
    fmt::print("wall time          {:.1f} s\n", report.wall_s);
}

}  // namespace

int main(int count, char** arguments) {
    CLI::App app{"The scheduler on a simulated cluster"};
    leadsweep::SimulationSettings settings;
    std::string mix = "1:70,2:15,4:10,8:5";
    bool is_unknown = false;
    app.add_option("--nodes", settings.nodes)->capture_default_str();
    app.add_option("--devices-per-node", settings.devices_per_node)->capture_default_str();
    app.add_option("--jobs", settings.jobs)->capture_default_str();
    app.add_option("--seed", settings.seed)->capture_default_str();
    app.add_option("--mix", mix, "devices of a job:weight,...")->capture_default_str();
    app.add_option("--sigma", settings.sigma, "of the logarithm of the durations")->capture_default_str();
    app.add_option("--noise", settings.noise, "sigma of the error of expected durations")->capture_default_str();
    app.add_flag("--unknown", is_unknown, "the scheduler knows no durations");
    app.add_option("--failures", settings.failures, "part of the attempts that crash")->capture_default_str();
    app.add_option("--node-losses", settings.node_losses, "nodes that die and come back")->capture_default_str();
    app.add_option("--stragglers", settings.stragglers, "part of the jobs that take 5 times as long")
        ->capture_default_str();
    app.add_flag("--check-gangs", settings.checks_gangs, "compute the start of gangs independently; slow");
    CLI11_PARSE(app, count, arguments);
    settings.mix = parse_mix(mix);
    settings.are_lengths_known = !is_unknown;
    print(settings, leadsweep::simulate(settings));
    return 0;
}

// The scheduler under a simulated clock, on a simulated cluster: jobs with heavy-tailed durations, crashes, lost nodes,
// stragglers. Nothing sleeps and nothing is random but by the seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace leadsweep {

/// All times in simulated seconds.
struct SimulationSettings {
    int nodes = 100;
    int devices_per_node = 8;
    std::size_t jobs = 20000;
    std::uint64_t seed = 1;
    std::map<int, double> mix{{1, 70}, {2, 15}, {4, 10}, {8, 5}};  ///< devices of a job -> weight
    double median_s = 600;
    double sigma = 1;  ///< of the logarithm of the durations
    bool are_lengths_known = true;
    double noise = 0;           ///< sigma of the error of the expected durations
    double failures = 0;        ///< part of the attempts whose worker crashes
    int node_losses = 0;        ///< nodes that die at a random moment and come back
    double stragglers = 0;      ///< part of the jobs that take five times as long as expected
    bool checks_gangs = false;  ///< computes independently when each gang could start (slow on large clusters)
};

struct SimulationReport {
    double makespan_s = 0;
    double bound_s = 0;  ///< max(work / devices, longest job)
    double utilisation = 0;
    std::size_t finished = 0;
    std::size_t failed = 0;
    std::size_t ended_twice = 0;    ///< jobs that reached a terminal state more than once
    std::size_t decisions = 0;      ///< attempts started
    std::size_t gangs_held = 0;     ///< gangs that waited at the head of the queue
    std::size_t gangs_delayed = 0;  ///< of these, started later than was possible when they came to the head
    std::size_t overlaps = 0;       ///< attempts started on a busy device, or gangs with a device twice: never
    double mean_decision_us = 0;    ///< wall time in the scheduler, all facts included, for each attempt started
    double p99_decision_us = 0;
    double bytes_per_job = 0;  ///< of the scheduler, while all jobs wait
    double peak_rss_bytes = 0;
    double wall_s = 0;
};

SimulationReport simulate(const SimulationSettings& settings);

}  // namespace leadsweep

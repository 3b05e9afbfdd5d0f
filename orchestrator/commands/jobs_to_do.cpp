#include "orchestrator/commands/jobs_to_do.hpp"

#include <filesystem>

#include "orchestrator/store/read_store.hpp"
#include "shared/job/job_state.hpp"

namespace leadsweep {

std::map<std::string, std::string> states_of(const Plan& plan, const std::string& db) {
    std::map<std::string, std::string> states;
    if (!std::filesystem::exists(db)) return states;
    const ReadStore store = ReadStore::open(db);
    std::map<std::string, std::string> state_of_key;
    std::map<std::string, bool> has_point;
    for (const auto& row : store.ask("SELECT key, point, state FROM jobs").rows) {
        state_of_key[as_text(row[0])] = as_text(row[2]);
        has_point[as_text(row[1])] = true;
    }
    for (std::size_t job = 0; job < plan.jobs.size(); ++job) {
        const JobKeys keys = plan.keys(job);
        const auto known = state_of_key.find(keys.key);
        if (known != state_of_key.end())
            states[keys.key] = known->second == "finished" ? "done" : known->second;
        else if (has_point.contains(keys.point))
            states[keys.key] = "stale";
    }
    return states;
}

std::vector<std::size_t> jobs_to_do(const Plan& plan, const std::map<std::string, std::string>& states) {
    std::vector<std::size_t> jobs;
    for (std::size_t job = 0; job < plan.jobs.size(); ++job) {
        const auto state = states.find(plan.keys(job).key);
        const auto stored = state == states.end() ? std::nullopt : job_state_from(state->second);
        const bool is_done = state != states.end() && state->second == "done";
        if (!is_done && !(stored && is_terminal(*stored))) jobs.push_back(job);
    }
    return jobs;
}

}  // namespace leadsweep

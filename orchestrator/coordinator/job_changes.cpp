#include "orchestrator/coordinator/job_changes.hpp"

namespace leadsweep {

CancelReply cancel_stored(ResultStore& store, std::span<const JobId> jobs, const std::string& by) {
    CancelReply reply;
    store.in_transaction([&] {
        for (const JobId job : jobs) {
            if (store.state_of(job) != JobState::kWaiting || !store.set_state(job, JobState::kCancelled)) {
                ++reply.ended;
                continue;
            }
            ++reply.waiting;
            store.record_event({"cancel_requested", "asked by " + by, job, {}, ""});
        }
    });
    return reply;
}

RetryReply retry_stored(ResultStore& store, std::span<const JobId> jobs, const std::string& by) {
    RetryReply reply;
    store.in_transaction([&] {
        for (const JobId job : jobs) {
            const auto state = store.state_of(job);
            if (!state || !is_terminal(*state) || !store.set_state(job, JobState::kWaiting)) {
                ++reply.kept;
                continue;
            }
            ++reply.later;
            store.record_event({"retry_requested", "asked by " + by, job, {}, ""});
        }
    });
    return reply;
}

}  // namespace leadsweep

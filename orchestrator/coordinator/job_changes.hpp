// Changes of jobs that no scheduler has: made by a command that holds the lock, or by the coordinator for jobs that
// are not part of its run. All throw StoreError.
#pragma once

#include <span>
#include <string>

#include "orchestrator/control/messages.hpp"
#include "orchestrator/store/result_store.hpp"

namespace leadsweep {

/// Waiting jobs become cancelled: no start runs them until they are retried. `by`: who asked, for the events.
CancelReply cancel_stored(ResultStore& store, std::span<const JobId> jobs, const std::string& by);

/// Jobs that ended without a result wait again, their attempts forgiven: the next start of their sweep runs them.
RetryReply retry_stored(ResultStore& store, std::span<const JobId> jobs, const std::string& by);

}  // namespace leadsweep
